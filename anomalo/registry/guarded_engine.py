"""The guard around every call of an engine: what fails in its code is the plugin's failure, and is named so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from anomalo.models.guard import InvalidResultError, Origin, guard
from anomalo.registry.engine import Compute, Engine, EngineChoice, Payload


class GuardedEngine(Engine):
    """An engine with its origin; errors of anomalo, and those of the tasks' reader, pass as they are.

    Parameters
    ----------
    engine : type of Engine
        Its class.
    origin : Origin
        The plugin that gives it.
    work : callable
        Returns what it computes, given whether its workers are remote.
    choice : EngineChoice
        The user's options.

    Raises
    ------
    UsageError
        An option is not for this engine, or a library that it needs is not installed.
    PluginError
        Its constructor failed.
    """

    def __init__(
        self, engine: type[Engine], origin: Origin, work: Callable[[bool], Compute], choice: EngineChoice
    ) -> None:
        super().__init__(work(engine.remote), choice.workers, choice.address)
        self._origin, self._class, self.patience = origin, engine, engine.patience
        with self._guard("__init__"):
            self._engine = engine(self.compute, choice.workers, choice.address)

    def start(self) -> None:
        """Start the workers of a long job.

        Raises
        ------
        EngineError
            As the engine raises it.
        PluginError
            The engine failed.
        """
        with self._guard("start"):
            self._engine.start()

    def map(self, tasks: Iterable[Payload]) -> Iterator[Payload]:
        """Yield the result of each task, in order; see `Engine`.

        Raises
        ------
        EngineError
            As the engine raises it.
        PluginError
            The engine failed, or gave another number of results than of tasks.
        """
        source = _Source(tasks)
        with self._guard("map"):
            results = iter(self._engine.map(source))
        given = 0
        while True:
            with self._guard("map"):
                try:
                    result = next(results, None)
                except BaseException:
                    if source.error is not None:
                        break
                    raise
                given += result is not None
                if given != source.taken if result is None else given > source.taken:
                    raise InvalidResultError(f"{given} results of {source.taken} tasks; expected one for each")
            if result is None:
                return
            yield result
        assert source.error is not None
        raise source.error

    def close(self) -> None:
        """End the workers.

        Raises
        ------
        PluginError
            The engine failed.
        """
        with self._guard("close"):
            self._engine.close()

    def _guard(self, method: str) -> AbstractContextManager[None]:
        return guard(self._origin, f"engine {self._class.name!r}", self._class, method)


class _Source:
    """Tasks that are counted; an error of their reader is kept, since it is not the engine's."""

    def __init__(self, tasks: Iterable[Payload]) -> None:
        self._tasks = iter(tasks)
        self.taken = 0
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[Payload]:
        return self

    def __next__(self) -> Payload:
        try:
            task = next(self._tasks)
        except StopIteration:
            raise
        except BaseException as error:
            self.error = error
            raise
        self.taken += 1
        return task
