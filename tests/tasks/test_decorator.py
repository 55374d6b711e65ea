"""``@broadcast_task`` behaves as Celery's own decorators do, and injects the reporter."""

from __future__ import annotations

import inspect
import pickle
from typing import Any, ClassVar

import pytest
from celery import Celery, Task, chain, chord, group, shared_task
from celery.contrib.django.task import DjangoTask
from celery.exceptions import Ignore
from celery.exceptions import Retry as CeleryRetry
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy

import channels_progress.tasks
from channels_progress.records import TaskState
from channels_progress.store import get_store
from channels_progress.tasks import BroadcastTask, TaskReporter, broadcast_task, current_reporter


@broadcast_task
def strict(reporter: Any, x: int, y: int = 0) -> None: ...


@broadcast_task(bind=True)
def strict_bound(self: Any, reporter: Any, x: int, y: int = 0) -> None: ...


def read_state(uid: str) -> TaskState:
    snapshot = get_store().read(uid)
    assert snapshot is not None
    return snapshot.record.state


def test_public_names() -> None:
    assert channels_progress.tasks.__all__ == [
        "BroadcastTask", "EagerTaskHandle", "TaskHandle", "TaskReporter", "broadcast_task", "current_reporter",
        "deliver_due", "get_handle", "reconcile",
    ]  # fmt: skip


def test_task_runs_with_a_reporter_and_returns_its_value(app: Celery) -> None:
    @broadcast_task
    def add(reporter: Any, x: int, y: int = 1) -> tuple[type, int]:
        return type(reporter).__name__, x + y

    assert add.delay(1).get() == ("TaskReporter", 2)
    assert add.delay(1, y=5).get() == ("TaskReporter", 6)
    assert add.s(1).apply(args=()).get() == ("TaskReporter", 2)


def test_reporter_is_injected_wherever_it_stands(app: Celery) -> None:
    @broadcast_task(name="middle")
    def middle(x: int, reporter: Any, y: int) -> tuple[int, bool, int]:
        return x, isinstance(reporter, TaskReporter), y

    @broadcast_task(name="keyword")
    def keyword(*rest: int, reporter: Any, z: int = 0) -> tuple[Any, ...]:
        return (*rest, isinstance(reporter, TaskReporter), z)

    assert middle.delay(1, 2).get() == (1, True, 2)
    assert middle.delay(y=2, x=1).get() == (1, True, 2)
    assert middle.delay(1, y=2).get() == (1, True, 2)
    assert keyword.delay(1, 2, z=3).get() == (1, 2, True, 3)


def test_bound_task_gets_itself_first(app: Celery) -> None:
    @broadcast_task(bind=True)
    def bound(self: Any, reporter: Any, x: int) -> tuple[str, str, bool, int]:
        return self.name, self.request.id, isinstance(reporter, TaskReporter), x

    handle = bound.apply_async((7,), task_id="bound-1")
    assert handle.get() == ("tests.tasks.test_decorator.bound", "bound-1", True, 7)


def test_task_without_the_parameter_is_unchanged_but_has_a_life(app: Celery) -> None:
    @broadcast_task
    def plain(x: int, **rest: int) -> tuple[int, dict[str, int]]:
        return x, rest

    handle = plain.delay(1, z=2)
    assert handle.get() == (1, {"z": 2})
    assert read_state(handle.id) is TaskState.SUCCESS


@pytest.mark.parametrize(
    ("args", "kwargs", "complaint"),
    [
        ((), {}, "missing 1 required positional argument: 'x'"),
        ((1, 2, 3), {}, "positional argument"),
        ((1,), {"z": 1}, "unexpected keyword argument 'z'"),
        ((1,), {"reporter": 1}, "unexpected keyword argument 'reporter'"),
    ],
)
@pytest.mark.parametrize("task", [strict, strict_bound])
def test_wrong_arguments_are_refused_when_sending(
    app: Celery, task: BroadcastTask, args: Any, kwargs: Any, complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        task.delay(*args, **kwargs)


def test_typing_can_be_switched_off_as_in_celery(app: Celery) -> None:
    @broadcast_task(typing=False)
    def loose(reporter: Any, x: int) -> None: ...

    assert loose.delay().failed()


def test_signature_is_the_callers(app: Celery) -> None:
    @broadcast_task(bind=True)
    def typed(self: Any, reporter: TaskReporter, x: int, *, y: str = "a") -> bool:
        return True

    assert str(inspect.signature(typed)) == "(x: 'int', *, y: 'str' = 'a') -> 'bool'"
    assert typed.__name__ == "typed"


def test_direct_call_takes_the_reporter_that_is_active(app: Celery) -> None:
    @broadcast_task(name="inner")
    def inner(reporter: Any, x: int) -> tuple[Any, int]:
        return reporter, x

    @broadcast_task(name="outer")
    def outer(reporter: Any) -> bool:
        return inner(4) == (reporter, 4) and current_reporter() is reporter

    assert outer.delay().get() is True
    given = object()
    assert inner(x=1, reporter=given) == (given, 1)
    assert inner(1)[1] == 1
    assert inner.run(1)[1] == 1


def test_options_and_attributes_pass_through(app: Celery) -> None:
    @broadcast_task(name="options.task", acks_late=True, max_retries=7, time_limit=9, my_own="x")
    def with_options(reporter: Any) -> None:
        """What it is for."""

    assert (with_options.name, with_options.acks_late, with_options.max_retries) == ("options.task", True, 7)
    assert (with_options.time_limit, with_options.my_own, with_options.__doc__) == (9, "x", "What it is for.")
    assert with_options.__module__ == __name__
    assert isinstance(with_options, BroadcastTask)


def test_task_can_belong_to_one_app(app: Celery) -> None:
    other = Celery("other", broker="memory://", set_as_current=False)

    @broadcast_task(app=other, name="others")
    def others(reporter: Any) -> int:
        return 1

    assert others.app is other
    assert other.tasks["others"].apply().get() == 1


def test_shared_task_is_registered_in_apps_made_later(app: Celery) -> None:
    @broadcast_task(name="shared")
    def shared(reporter: Any) -> None: ...

    later = Celery("later", broker="memory://", set_as_current=False)
    assert isinstance(later.tasks["shared"], later.Task)
    assert isinstance(later.tasks["shared"], BroadcastTask)
    assert pickle.loads(pickle.dumps(app.tasks["shared"])) is app.tasks["shared"]


def test_django_methods_stay(app: Celery) -> None:
    @broadcast_task
    def sent(reporter: Any) -> None: ...

    assert isinstance(sent, DjangoTask)


class CountingBase(Task):
    abstract = True
    calls: ClassVar[list[str]] = []
    max_retries = 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append("call")
        return super().__call__(*args, **kwargs)

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        self.calls.append("before_start")

    def on_success(self, *args: Any) -> None:
        self.calls.append("on_success")


def test_base_class_keeps_its_hooks(app: Celery) -> None:
    @broadcast_task(base=CountingBase)
    def counted(reporter: Any, x: int) -> int:
        return x if isinstance(reporter, TaskReporter) else -1

    CountingBase.calls.clear()
    handle = counted.delay(3)
    assert (handle.get(), counted.max_retries) == (3, 1)
    assert CountingBase.calls == ["before_start", "call", "on_success"]
    assert read_state(handle.id) is TaskState.SUCCESS


def test_class_based_task_gets_its_reporter(app: Celery) -> None:
    class ImportTask(BroadcastTask):
        name = "class_based"
        title = "Class based"

        def run(self, reporter: Any, x: int) -> tuple[bool, int]:
            return isinstance(reporter, TaskReporter), x

    class SpecialImportTask(ImportTask):
        name = "special"

        def run(self, reporter: Any, x: int) -> Any:
            return super().run(x + 1)

    app.register_task(ImportTask())
    app.register_task(SpecialImportTask())
    assert app.tasks["class_based"].delay(5).get() == (True, 5)
    assert app.tasks["special"].delay(5).get() == (True, 6)


def test_class_based_task_may_inherit_its_body(app: Celery) -> None:
    class Doubling:
        def run(self, x: int) -> int:
            return 2 * x

    class Reporting(Doubling):
        def run(self, reporter: Any, x: int) -> int:  # type: ignore[override]
            reporter.progress(x, 10)
            return 3 * x

    class Doubled(BroadcastTask, Doubling, Task):
        name = "inherited"

    class Tripled(Reporting, BroadcastTask):
        name = "mixed_in"

    handles = [app.register_task(task).delay(2) for task in (Doubled(), Tripled())]
    records = [get_store().read(handle.id).record for handle in handles]
    assert [handle.get() for handle in handles] == [4, 6]
    assert [(record.state, record.attempt) for record in records] == [(TaskState.SUCCESS, 1)] * 2
    assert records[1].body["fraction"] == 0.2


@pytest.mark.parametrize("bind", [False, True])
def test_celerys_own_decorator_may_take_our_class_as_base(app: Celery, bind: bool) -> None:
    def function(reporter: Any, x: int) -> tuple[bool, int]:
        return isinstance(reporter, TaskReporter), x

    def bound_function(self: Any, reporter: Any, x: int) -> tuple[bool, int]:
        return function(reporter, x)

    task = app.task(base=BroadcastTask, bind=bind)(bound_function if bind else function)
    assert task.delay(4).get() == (True, 4)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        task.delay()


class InvalidFile(Exception): ...


class FileTask(BroadcastTask):
    abstract = True
    title = "Read a file"
    stages = ("Read", "Check")
    public_errors = [InvalidFile]  # noqa: RUF012


def test_what_the_base_says_holds_where_the_decorator_is_silent(app: Celery) -> None:
    @broadcast_task(base=FileTask, name="as_base")
    def plain(reporter: Any) -> None:
        with reporter.stage("Read"):
            raise InvalidFile("Line 3 is empty.")

    @broadcast_task(base=FileTask, name="as_said", title="Another", stages=["Look"], public_errors=[KeyError])
    def other(reporter: Any) -> None:
        raise InvalidFile("Line 3 is empty.")

    first, second = (get_store().read(task.delay().id).record for task in (plain, other))
    assert (first.reason, first.body["title"], first.body["stage"]["count"]) == ("Line 3 is empty.", "Read a file", 2)
    assert (second.reason, second.body["title"], other.stages) == ("Something went wrong.", "Another", ["Look"])


def test_errback_is_called_as_celery_calls_its_own(app: Celery) -> None:
    calls: list[Any] = []

    @broadcast_task(name="whole_story")
    def whole_story(reporter: Any, request: Any, error: Exception, traceback: Any) -> None:
        calls.append((request.id, error))

    @broadcast_task(name="uid_only")
    def uid_only(reporter: Any, uid: str) -> None:
        calls.append(uid)

    @broadcast_task(name="bound_one", bind=True)
    def bound_one(self: Any, reporter: Any, uid: str) -> None:
        calls.append(uid)

    error = ValueError("x")

    @broadcast_task(name="breaks")
    def breaks(reporter: Any) -> None:
        raise error

    for errback in (whole_story, uid_only, bound_one):
        handle = breaks.apply_async(task_id=f"for {errback.name}", link_error=errback.s())
        assert read_state(handle.id) is TaskState.FAILURE
    assert calls == [("for whole_story", error), "for uid_only", "for bound_one"]


def test_failure_is_untouched(app: Celery) -> None:
    error = KeyError("secret")

    @broadcast_task
    def fails(reporter: Any) -> None:
        raise error

    handle = fails.delay()
    assert handle.state == "FAILURE"
    with pytest.raises(KeyError, match="secret"):
        handle.get()
    with pytest.raises(KeyError) as raised:
        fails.apply(throw=True)
    assert raised.value is error


def test_automatic_retry_counts_attempts(app: Celery) -> None:
    @broadcast_task(autoretry_for=(ConnectionError,), retry_backoff=True, max_retries=2, bind=True)
    def flaky(self: Any, reporter: Any) -> int:
        if self.request.retries < 2:
            raise ConnectionError
        return self.request.retries

    handle = flaky.delay()
    record = get_store().read(handle.id).record
    assert handle.get() == 2
    assert (record.state, record.attempt) == (TaskState.SUCCESS, 3)


def test_manual_retry_gives_up_with_the_error(app: Celery) -> None:
    @broadcast_task(bind=True, max_retries=1)
    def stubborn(self: Any, reporter: Any) -> None:
        raise self.retry(exc=ValueError("again"), countdown=0)

    handle = stubborn.delay()
    with pytest.raises(ValueError, match="again"):
        handle.get()
    assert read_state(handle.id) is TaskState.FAILURE
    with pytest.raises(CeleryRetry):
        stubborn.apply(throw=True)


def test_canvas_works(app: Celery) -> None:
    @broadcast_task(name="canvas.add")
    def add(reporter: Any, x: int, y: int) -> int:
        return x + y

    @broadcast_task(name="canvas.total")
    def total(reporter: Any, numbers: list[int]) -> int:
        return sum(numbers)

    assert chain(add.s(1, 1), add.s(10))().get() == 12
    assert group(add.s(i, i) for i in range(3))().get() == [0, 2, 4]
    assert chord((add.s(i, i) for i in range(3)), total.s())().get() == 6
    assert add.signature((1,), {"y": 2}, immutable=True).apply((9,)).get() == 3
    assert add.starmap([(1, 2), (3, 4)]).apply().get() == [3, 7]


def test_replaced_task_ends_as_its_replacement(app: Celery) -> None:
    @broadcast_task(name="second")
    def second(reporter: Any, x: int) -> int:
        return x * 2

    @broadcast_task(name="first", bind=True)
    def first(self: Any, reporter: Any, x: int) -> Any:
        return self.replace(second.s(x))

    handle = first.for_user(User(pk=7)).apply((4,))
    record = get_store().read(handle.id).record
    assert handle.get() == 8
    assert (record.state, record.owner, record.attempt) == (TaskState.SUCCESS, "user:7", 2)


def test_whole_canvas_that_replaces_a_task_has_its_owner(app: Celery) -> None:
    @broadcast_task(name="canvas.note", bind=True)
    def note(self: Any, reporter: Any, uids: Any) -> list[str]:
        # After a group: the lists of its members.
        before = {uid for item in uids for uid in ([item] if isinstance(item, str) else item)}
        return [*sorted(before), self.request.id]

    @broadcast_task(name="canvas.replaced", bind=True)
    def replaced(self: Any, reporter: Any) -> Any:
        return self.replace(chain(note.s([]), group(note.s(), note.s()), note.s()))

    uids = replaced.for_user(User(pk=7)).apply().get()
    assert [get_store().read(uid).record.owner for uid in uids] == ["user:7"] * 4


def test_ignore_ends_as_ignored(app: Celery) -> None:
    @broadcast_task
    def ignores(reporter: Any) -> None:
        raise Ignore

    assert read_state(ignores.delay().id) is TaskState.IGNORED


def test_title_is_made_from_the_name_or_given(app: Celery) -> None:
    @broadcast_task
    def import_cities(reporter: Any) -> None: ...

    @broadcast_task(title=gettext_lazy("Yes"), name="titled")
    def titled(reporter: Any) -> None: ...

    plain = get_store().read(import_cities.delay().id).record
    german = get_store().read(titled.apply(headers={"channels_progress": {"language": "de"}}).id).record
    assert (plain.body["title"], german.body["title"]) == ("Import cities", "Ja")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"base": int}, "a subclass of celery.Task is expected"),
        ({"public_errors": ["x"]}, "exception classes are expected"),
        ({"stages": "Read"}, "a sequence of names"),
    ],
)
def test_slips_are_told_at_once(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        broadcast_task(**options)(lambda reporter: None)
    with pytest.raises(TypeError, match="a function is expected"):
        broadcast_task("name")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [({"public_errors": "x"}, "exception classes are expected"), ({"stages": "Read"}, "a sequence of names")],
)
def test_slips_of_a_class_are_told_at_once(attributes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        type("Slip", (BroadcastTask,), attributes)


def test_one_public_error_needs_no_list(app: Celery) -> None:
    class Strict(BroadcastTask):
        name = "one_error"
        public_errors = InvalidFile  # type: ignore[assignment]

        def run(self) -> None:
            raise InvalidFile("Line 3 is empty.")

    handle = app.register_task(Strict()).delay()
    assert get_store().read(handle.id).record.reason == "Line 3 is empty."
    with pytest.raises(InvalidFile):
        handle.get()


def test_plain_tasks_beside_ours_are_left_alone(app: Celery) -> None:
    @shared_task(name="plain_celery")
    def plain_celery(reporter: int) -> int:
        return reporter

    handle = plain_celery.delay(1)
    assert handle.get() == 1
    assert get_store().read(handle.id) is None
