"""`@rota.module`: makes a function a module."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec
from msgspec import Struct

from rota.core.module import Definition, ModuleName, Texts
from rota.modules.context import Context
from rota.modules.hints import Convert, read_signature, texts

ATTRIBUTE = "__rota_module__"
F = TypeVar("F", bound=Callable[..., Any])


class Module(Struct, frozen=True, kw_only=True):
    """A function that is a module.

    converts      how a parameter's JSON becomes what the function takes
    context_name  its parameter that takes the context, if it has one
    """

    definition: Definition
    function: Callable[..., Any]
    converts: dict[str, Convert]
    context_name: str | None

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    def call(self, params: dict[str, Any], context: Context) -> Any:
        """What the function returns, or its coroutine. `params` fit the definition; what has no default may be absent."""
        values = {name: self.converts[name](value) for name, value in params.items()}
        if self.context_name:
            values[self.context_name] = context
        return self.function(**values)


@overload
def module(function: F, /) -> F: ...


@overload
def module(
    *,
    name: str | None = None,
    displayname: Texts | str | None = None,
    description: Texts | str | None = None,
    debug: bool = False,
) -> Callable[[F], F]: ...


def module(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    displayname: Texts | str | None = None,
    description: Texts | str | None = None,
    debug: bool = False,
) -> Any:
    """Make a plain or async function a module. It stays a function: call it as any other, in tests for example.

    name         its own unless given
    displayname  by language, such as {"en-US": "Sleep"}; a text alone is for all of them
    description  the same; the first paragraph of its docstring unless given
    debug        people are not offered it

    What it returns must be JSON, and is the output of the run. An exception is a failure, its text the run's error.
    Raises TypeError for a parameter that cannot be one.
    """

    def mark(function: F) -> F:
        own = name or function.__name__
        schema = read_signature(function, own)
        definition = Definition(
            name=msgspec.convert(own, ModuleName),
            displayname=texts(displayname) or {"und": own.replace("_", " ")},
            description=texts(description) or texts(_summary(function)),
            debug=debug,
            params=schema.sections,
        )
        made = Module(definition=definition, function=function, converts=schema.converts, context_name=schema.context_name)
        setattr(function, ATTRIBUTE, made)
        return function

    return mark if function is None else mark(function)


def find_module(value: Any) -> Module | None:
    """The module that a value is, if it is one."""
    found = getattr(value, ATTRIBUTE, None) if callable(value) else None
    return found if isinstance(found, Module) else None


def _summary(function: Callable[..., Any]) -> str | None:
    text = inspect.getdoc(function)
    return " ".join(text.split("\n\n")[0].split()) if text else None
