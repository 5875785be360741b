"""The exceptions that anomalo raises, each with the exit code that the command line ends with."""

import difflib
import re
from collections.abc import Iterable
from urllib.parse import unquote

_SECRETS = (
    # As the user wrote it: a password may hold a slash, and in mistake an "@".
    re.compile(r"(://[^:/@\s]*:)([^@\s]*(?:@[^@/\s]*)*)(?=@)"),
    re.compile(
        r"([?&][\w.-]*(?:password|passwd|pwd|secret|token|key|credential|signature|sig)[\w.-]*=)((?:(?!::)[^&\s])*)",
        re.IGNORECASE,
    ),
)


def without_passwords(text: str, url: str = "") -> str:
    """Return a text in which the passwords of URLs, and keys among their parameters, are `***`.

    Parameters
    ----------
    text : str
        Any text.
    url : str
        Passwords in this one are hidden in the text wherever they stand, as a library may repeat a part of it.

    Examples
    --------
    >>> without_passwords("postgresql://ann:secret@host/db::visits and s3://b/x.csv?token=a1&region=eu")
    'postgresql://ann:***@host/db::visits and s3://b/x.csv?token=***&region=eu'
    >>> without_passwords("no host secret@host", "postgresql://ann:secret@host/db")
    'no host ***@host'
    """
    for pattern in _SECRETS:
        text = pattern.sub(r"\1***", text)
        for _, secret in pattern.findall(url):
            for one in filter(None, (secret, unquote(secret))):
                text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", "***", text)
    return text


class AnomaloError(Exception):
    """Anything that anomalo itself reports; the command line prints it as one line.

    Attributes
    ----------
    exit_code : int
        The process exit code that stands for this kind of failure.
    """

    exit_code = 1

    def __str__(self) -> str:
        return without_passwords(super().__str__())


class SourceError(AnomaloError, ValueError):
    """A table cannot be read: absent, empty, header only, ragged, truncated or not decodable."""


class EmptySourceError(SourceError):
    """A table has columns, but no rows."""


class OutputError(AnomaloError, OSError):
    """A result cannot be written: the folder is absent or read-only, or the disk is full."""


class ArtefactError(AnomaloError, ValueError):
    """A saved model is absent, damaged, or of a format that this version does not read."""


class TrainingError(AnomaloError, RuntimeError):
    """Training diverged or cannot start."""


class PluginError(AnomaloError, RuntimeError):
    """A plugin failed in a call that needs its result."""


class EngineError(AnomaloError, RuntimeError):
    """The workers of a job cannot be started or reached, or are lost again and again."""


class UsageError(AnomaloError, ValueError):
    """The caller asked for something that does not exist: an option, a value, a threshold."""

    exit_code = 2


class UnknownModelError(UsageError, LookupError):
    """No registered model, or no saved model, has this name."""


class ParameterError(UsageError):
    """A hyperparameter is unknown, of the wrong type or out of its range."""


class SchemaError(AnomaloError, ValueError):
    """The data does not fit the schema that the model was fitted on."""

    exit_code = 4


class GateError(AnomaloError):
    """The job is done, but a gate that the user set was hit."""

    exit_code = 3


class RouteError(AnomaloError, RuntimeError):
    """A job is done, but somebody who was to be notified was not."""


class InterruptedJobError(AnomaloError):
    """A job was stopped before its end: no output is left in part, and what is done is kept, to be resumed."""

    exit_code = 5


def closest(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return the known names that are spelt most alike, whatever their case; none below a similarity of `cutoff`.

    Examples
    --------
    >>> closest("Wieght", ["height", "weight"]), closest("price", ["height", "weight"])
    (['weight'], [])
    """
    lowered = {candidate.lower(): candidate for candidate in reversed(list(known))}
    return [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, n=most, cutoff=cutoff)]


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return the part of a message on an unknown name that suggests close ones; nothing if there is none.

    Examples
    --------
    >>> did_you_mean("Wieght", ["height", "weight"]), did_you_mean("price", ["height", "weight"])
    ("; did you mean 'weight'?", '')
    """
    close = closest(name, known, most)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
