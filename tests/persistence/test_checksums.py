"""A checksum changes with whatever it is of, and with nothing else."""

import hashlib

import numpy as np
import pytest

from anomalo.persistence.checksums import array_digest, arrays_digest, digest


def test_bytes_are_checked_by_sha_256() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert digest(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert array_digest(array) == hashlib.sha256(array.tobytes()).hexdigest()
    assert array_digest(array.T) == hashlib.sha256(array.T.tobytes()).hexdigest()


@pytest.mark.parametrize("empty", [np.zeros(0), np.zeros((0, 3), bool), np.zeros((2, 0), np.float32)])
def test_empty_arrays_have_one_too(empty: np.ndarray) -> None:
    assert array_digest(empty) == digest(b"")
    assert arrays_digest({"a": empty}) != arrays_digest({})


def test_arrays_differ_by_name_type_shape_value_and_text() -> None:
    zero = np.zeros(4, np.float32)
    variants = [
        ({}, ""),
        ({"a": zero}, ""),
        ({"b": zero}, ""),
        ({"a": zero, "b": zero}, ""),
        ({"a": zero.astype(np.int32)}, ""),
        ({"a": zero.reshape(2, 2)}, ""),
        ({"a": -zero}, ""),
        ({"a": zero}, "a"),
    ]
    assert len({arrays_digest(*variant) for variant in variants}) == len(variants)


def test_arrays_do_not_differ_by_order_and_strides() -> None:
    square = np.arange(4).reshape(2, 2)
    assert arrays_digest({"a": square, "b": square.T}) == arrays_digest({"b": square.T.copy(), "a": square})


def test_a_scalar_array_is_an_array() -> None:
    assert array_digest(np.array(1.5)) == array_digest(np.array([1.5]))
    assert arrays_digest({"a": np.array(1.5)}) != arrays_digest({"a": np.array([1.5])})
