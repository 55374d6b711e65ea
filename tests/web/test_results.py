"""The link from a finished task to what django-celery-results keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import include, path

from channels_progress.records import TaskState
from channels_progress.results import StoredResult, find_result, find_result_url
from tests.web.conftest import MakeTask
from tests.web.markup import Page


class Urls:
    """Those of a site with the admin."""

    def __init__(self) -> None:
        self.urlpatterns = [path("tasks/", include("channels_progress.urls")), path("admin/", admin.site.urls)]


@pytest.fixture
def result(transactional_db: None, settings: Any) -> Iterator[Any]:
    """A stored result of task ``a`` in a site with the admin."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_celery_results"]
    # Made now: the admin's URLs are those of what is registered by then, whatever other tests have imported before.
    settings.ROOT_URLCONF = Urls()
    model = apps.get_model("django_celery_results", "TaskResult")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield model._default_manager.create(task_id="a", status="FAILURE")
    with connection.schema_editor() as editor:
        editor.delete_model(model)


@pytest.fixture
def staff(result: Any) -> User:
    user = User.objects.create_user("sue", is_staff=True)
    content_type = ContentType.objects.get_for_model(type(result))
    permission, _ = Permission.objects.get_or_create(
        content_type=content_type, codename="view_taskresult", defaults={"name": "Can view task result"}
    )
    user.user_permissions.add(permission)
    return user


def test_staff_with_permission_find_the_row(result: Any, staff: User) -> None:
    assert find_result_url("a", staff) == f"/admin/django_celery_results/taskresult/{result.pk}/change/"


def test_task_without_a_row_has_no_link(staff: User) -> None:
    assert find_result_url("b", staff) == ""


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}], ids=["no staff", "inactive"])
def test_others_find_nothing(staff: User, change: dict[str, bool]) -> None:
    User.objects.update(**change)
    assert find_result_url("a", User.objects.get()) == ""


def test_staff_without_permission_find_nothing(staff: User) -> None:
    staff.user_permissions.clear()
    assert find_result_url("a", User.objects.get()) == ""


def test_site_without_the_admin_has_no_link(staff: User, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    assert find_result_url("a", staff) == ""


def test_site_without_the_results_app_has_no_link(db: None) -> None:
    assert find_result_url("a", User(is_staff=True, is_superuser=True)) == ""


@pytest.mark.parametrize(("state", "is_linked"), [(TaskState.FAILURE, True), (TaskState.PROGRESS, False)])
def test_page_links_the_row_once_the_task_has_ended(
    make_task: MakeTask, staff: User, result: Any, state: TaskState, is_linked: bool
) -> None:
    make_task(state=state, owner=f"user:{staff.pk}")
    client = Client()
    client.force_login(staff)
    links = [link for link in Page(client.get("/tasks/a/").text).all("a") if "noscript" not in link.inside]
    url = f"/admin/django_celery_results/taskresult/{result.pk}/change/"
    assert [link.attributes.get("href") for link in links] == ([None, url] if is_linked else [None])


def test_traceback_is_on_the_page_in_the_admin_for_who_may_see_results(
    make_task: MakeTask, staff: User, result: Any
) -> None:
    make_task(state=TaskState.FAILURE)
    result.traceback = "Traceback: <boom>"
    result.save()
    staff.user_permissions.add(Permission.objects.get(codename="view_task"))
    url = f"/admin/django_celery_results/taskresult/{result.pk}/change/"
    assert find_result("a", User.objects.get()) == StoredResult(url, "Traceback: <boom>")
    client = Client()
    client.force_login(staff)
    page = Page(client.get("/admin/channels_progress/task/a/change/").text)
    assert page.all("pre")[-1].text == "Traceback: <boom>"
    assert url in [link.attributes.get("href") for link in page.all("a")]
    staff.user_permissions.remove(Permission.objects.get(codename="view_taskresult"))
    assert "boom" not in client.get("/admin/channels_progress/task/a/change/").text
