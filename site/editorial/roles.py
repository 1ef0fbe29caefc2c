"""Roles of a new site, as Django groups with Wagtail's permissions, and the approval workflow.

A migration of the home app creates them; administrators may change them afterwards. A role has page permissions on the whole
tree, on the tree of one language (translators) or on the newsletter's pages (newsletter managers). Permissions on pages that
do not exist yet are granted when the page is created (`grant`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.page_permissions import HOME_DEPTH
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from wagtail.models import Page

EVERYWHERE, LANGUAGE, NEWSLETTER = "everywhere", "language", "newsletter.newsletterpage"
OWN_FILE_ACTIONS = ["add", "choose"]  # Wagtail's “add” includes changing one's own files
FILE_ACTIONS = [*OWN_FILE_ACTIONS, "change"]
ALL_FILE_ACTIONS = [*FILE_ACTIONS, "delete"]
EDIT_SNIPPETS = [
    f"core.{action}_{model}" for model in ("menu", "sitesettings", "topic") for action in ("change", "view")
]
MANAGE_SNIPPETS = [
    *EDIT_SNIPPETS,
    *(f"core.{action}_{model}" for model in ("menu", "sitesettings", "topic") for action in ("add", "delete")),
    "core.publish_menu",
    "core.publish_sitesettings",
]
NEWSLETTER_ACTIONS = {
    "campaign": ["add", "change", "view"],
    "segment": ["add", "change", "delete", "view"],
    "subscriber": ["add", "change", "delete", "view"],
    "subscriberimport": ["add", "view"],
    "subscriberexport": ["add"],
    "providerevent": ["view"],
    "incomingreport": ["view"],
}
MANAGE_NEWSLETTER = [
    f"newsletter.{action}_{model}" for model, actions in NEWSLETTER_ACTIONS.items() for action in actions
]
TRANSLATE = "wagtail_localize.submit_translation"
READ_MESSAGES = ["home.view_contactmessage", "home.delete_contactmessage"]
REDIRECTS = [f"wagtailredirects.{action}_redirect" for action in ("add", "change", "delete", "view")]
MANAGE_SITE = [
    *(f"auth.{action}_{model}" for model in ("user", "group") for action in ("add", "change", "delete", "view")),
    *(f"wagtailcore.{action}_site" for action in ("add", "change", "delete", "view")),
    *(f"wagtailcore.{action}_locale" for action in ("add", "change", "delete", "view")),
    *(f"wagtailcore.{action}_{model}" for model in ("workflow", "task") for action in ("add", "change", "delete")),
]


GetModel = Callable[[str], type[Any]]  # the method of an app registry, such as that of a migration


@dataclass(frozen=True)
class Role:
    """A group with its permissions.

    `pages`, `files` (images and documents) and `collections` are lists of actions. `where` limits the page permissions:
    EVERYWHERE, LANGUAGE, or the label of a page model. `others` lists further permissions as “app.codename”.
    """

    name: str
    pages: list[str] = field(default_factory=list)
    where: str = EVERYWHERE
    files: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    collections: list[str] = field(default_factory=list)


EDITOR = Role("Edición", ["add", "change"], files=FILE_ACTIONS, others=[TRANSLATE])
PUBLISHER = Role(
    "Publicación",
    ["add", "change", "publish", "lock", "unlock", "bulk_delete"],
    files=ALL_FILE_ACTIONS,
    others=[TRANSLATE, *MANAGE_SNIPPETS, *REDIRECTS, *READ_MESSAGES],
)
NEWSLETTER_MANAGER = Role(
    "Boletín",
    ["add", "change", "publish"],
    where=NEWSLETTER,
    files=OWN_FILE_ACTIONS,
    others=[TRANSLATE, *MANAGE_NEWSLETTER],
)
ADMINISTRATOR = Role(
    "Administración",
    PUBLISHER.pages,
    files=ALL_FILE_ACTIONS,
    others=[*PUBLISHER.others, *MANAGE_NEWSLETTER, *MANAGE_SITE],
    collections=["add", "change", "delete"],
)
TRANSLATORS = {
    code: Role(language.translators, ["add", "change"], LANGUAGE, OWN_FILE_ACTIONS, [TRANSLATE, *EDIT_SNIPPETS])
    for code, language in settings.SITE_LANGUAGES.items()
    if language.translators
}
ROLES = [EDITOR, *TRANSLATORS.values(), PUBLISHER, NEWSLETTER_MANAGER, ADMINISTRATOR]
WORKFLOW = "Revisar y publicar"


def install(get_model: GetModel) -> None:
    """Create the missing groups with their permissions, and the workflow.

    Wagtail's own default groups are deleted if unused.
    """
    get_model("auth.Group").objects.filter(name__in=["Editors", "Moderators"], user__isnull=True).delete()
    for role in ROLES:
        _create_group(get_model, role)
    _create_workflow(get_model)


def _create_group(get_model: GetModel, role: Role) -> None:
    group, is_new = get_model("auth.Group").objects.get_or_create(name=role.name)
    if not is_new:
        return
    for name in ["wagtailadmin.access_admin", *role.others]:
        app_label, codename = name.split(".")
        group.permissions.add(_permission(get_model, app_label, codename))
    if role.where == EVERYWHERE:
        _grant_page_permissions(get_model, group, role, get_model("wagtailcore.Page").objects.get(depth=1))
    models = [("wagtailimages", "image"), ("wagtaildocs", "document")]
    names = [(app_label, f"{action}_{model}") for app_label, model in models for action in role.files]
    names += [("wagtailcore", f"{action}_collection") for action in role.collections]
    collection = get_model("wagtailcore.Collection").objects.get(depth=1)
    for app_label, codename in names:
        permission = _permission(get_model, app_label, codename)
        get_model("wagtailcore.GroupCollectionPermission").objects.create(
            group=group, collection=collection, permission=permission
        )


def _permission(get_model: GetModel, app_label: str, codename: str) -> Permission:
    """Return a permission; create it if `post_migrate` has not done so yet."""
    permissions = get_model("auth.Permission").objects
    found = permissions.filter(content_type__app_label=app_label, codename=codename).first()
    if found:
        return found
    action, _separator, model = codename.rpartition("_")
    kind, _is_new = get_model("contenttypes.ContentType").objects.get_or_create(app_label=app_label, model=model)
    return permissions.create(content_type=kind, codename=codename, name=f"Can {action} {model}")


def _grant_page_permissions(get_model: GetModel, group: Group, role: Role, page: Page) -> None:
    for action in role.pages:
        permission = _permission(get_model, "wagtailcore", f"{action}_page")
        get_model("wagtailcore.GroupPagePermission").objects.get_or_create(
            group=group, page_id=page.pk, permission=permission
        )


def _create_workflow(get_model: GetModel) -> None:
    """Create a workflow with one task: approval by publishers or administrators."""
    Workflow, Task = get_model("wagtailcore.Workflow"), get_model("wagtailcore.GroupApprovalTask")
    if Workflow.objects.filter(name=WORKFLOW).exists():
        return
    Workflow.objects.filter(name="Moderators approval", workflow_states__isnull=True).delete()
    Task.objects.filter(name="Moderators approval", task_states__isnull=True).delete()
    kind, _is_new = get_model("contenttypes.ContentType").objects.get_or_create(
        app_label="wagtailcore", model="groupapprovaltask"
    )
    task = Task.objects.create(name="Publicar", content_type=kind)
    task.groups.set(get_model("auth.Group").objects.filter(name__in=[PUBLISHER.name, ADMINISTRATOR.name]))
    workflow = Workflow.objects.create(name=WORKFLOW)
    get_model("wagtailcore.WorkflowTask").objects.create(workflow=workflow, task=task, sort_order=0)
    root = get_model("wagtailcore.Page").objects.get(depth=1)
    get_model("wagtailcore.WorkflowPage").objects.update_or_create(page_id=root.pk, defaults={"workflow": workflow})


def create_translators(code: str) -> None:
    """Create the group of those who translate into a language that is new to the site."""
    if code in TRANSLATORS:
        _create_group(apps.get_model, TRANSLATORS[code])


def grant(page: Page) -> None:
    """Grant the roles their permissions on a new home page of a language or a new newsletter page."""
    roles = [role for role in ROLES if role.where == page._meta.label_lower]
    if page.depth == HOME_DEPTH:
        roles += [role for code, role in TRANSLATORS.items() if code == page.locale.language_code]
    for role in roles:
        group = Group.objects.filter(name=role.name).first()
        if group:
            _grant_page_permissions(apps.get_model, group, role, page)
