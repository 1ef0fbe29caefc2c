"""Roles of a new site, as Django groups with Wagtail's permissions, and the approval workflow.

`load_starter_content` creates them; administrators may change them afterwards. A role has page permissions on the whole
tree, on the tree of one language (translators) or on the newsletter's pages (newsletter managers). Permissions on pages that
do not exist yet are granted when the page is created (`grant`).

The names are stored once, in Spanish. `role_label` gives them in the reader's language.
"""

from dataclasses import dataclass, field

from core.page_permissions import HOME_DEPTH
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from wagtail.models import (
    Collection,
    GroupApprovalTask,
    GroupCollectionPermission,
    GroupPagePermission,
    Page,
    Task,
    Workflow,
    WorkflowPage,
    WorkflowTask,
)

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
GLOSSARY = [f"translation.{action}_glossaryterm" for action in ("add", "change", "delete", "view")]
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


EDITOR = Role(_("Edición"), ["add", "change"], files=FILE_ACTIONS, others=[TRANSLATE])
PUBLISHER = Role(
    _("Publicación"),
    ["add", "change", "publish", "lock", "unlock", "bulk_delete"],
    files=ALL_FILE_ACTIONS,
    others=[TRANSLATE, *GLOSSARY, *MANAGE_SNIPPETS, *REDIRECTS, *READ_MESSAGES],
)
NEWSLETTER_MANAGER = Role(
    _("Boletín"),
    ["add", "change", "publish"],
    where=NEWSLETTER,
    files=OWN_FILE_ACTIONS,
    others=[TRANSLATE, *MANAGE_NEWSLETTER],
)
ADMINISTRATOR = Role(
    _("Administración"),
    PUBLISHER.pages,
    files=ALL_FILE_ACTIONS,
    others=[*PUBLISHER.others, *MANAGE_NEWSLETTER, *MANAGE_SITE],
    collections=["add", "change", "delete"],
)
TRANSLATORS = {
    code: Role(
        language.translators, ["add", "change"], LANGUAGE, OWN_FILE_ACTIONS, [TRANSLATE, *GLOSSARY, *EDIT_SNIPPETS]
    )
    for code, language in settings.SITE_LANGUAGES.items()
    if language.translators
}
ROLES = [EDITOR, *TRANSLATORS.values(), PUBLISHER, NEWSLETTER_MANAGER, ADMINISTRATOR]
ROLE_NAMES = {role.name for role in ROLES}
WORKFLOW = "Revisar y publicar"


def role_label(group: Group) -> str:
    """Return the name of a group: in the reader's language if it is one of ROLES, else as an administrator named it."""
    return gettext(group.name) if group.name in ROLE_NAMES else group.name


@transaction.atomic
def install() -> None:
    """Create the missing groups with their permissions, and the workflow.

    Wagtail's own default groups are deleted if unused.
    """
    Group.objects.filter(name__in=["Editors", "Moderators"], user__isnull=True).delete()
    for role in ROLES:
        _create_group(role)
    _create_workflow()


def _create_group(role: Role) -> None:
    group, is_new = Group.objects.get_or_create(name=role.name)
    if not is_new:
        return
    for name in ["wagtailadmin.access_admin", *role.others]:
        group.permissions.add(_permission(*name.split(".")))
    if role.where == EVERYWHERE:
        _grant_page_permissions(group, role, Page.get_first_root_node())
    models = [("wagtailimages", "image"), ("wagtaildocs", "document")]
    names = [(app_label, f"{action}_{model}") for app_label, model in models for action in role.files]
    names += [("wagtailcore", f"{action}_collection") for action in role.collections]
    collection = Collection.get_first_root_node()
    for app_label, codename in names:
        permission = _permission(app_label, codename)
        GroupCollectionPermission.objects.create(group=group, collection=collection, permission=permission)


def _permission(app_label: str, codename: str) -> Permission:
    return Permission.objects.get(content_type__app_label=app_label, codename=codename)


def _grant_page_permissions(group: Group, role: Role, page: Page) -> None:
    for action in role.pages:
        permission = _permission("wagtailcore", f"{action}_page")
        GroupPagePermission.objects.get_or_create(group=group, page=page, permission=permission)


def _create_workflow() -> None:
    """Create a workflow with one task: approval by publishers or administrators."""
    if Workflow.objects.filter(name=WORKFLOW).exists():
        return
    Workflow.objects.filter(name="Moderators approval", workflow_states__isnull=True).delete()
    Task.objects.filter(name="Moderators approval", task_states__isnull=True).delete()
    task = GroupApprovalTask.objects.create(name="Publicar")
    task.groups.set(Group.objects.filter(name__in=[PUBLISHER.name, ADMINISTRATOR.name]))
    workflow = Workflow.objects.create(name=WORKFLOW)
    WorkflowTask.objects.create(workflow=workflow, task=task, sort_order=0)
    WorkflowPage.objects.update_or_create(page=Page.get_first_root_node(), defaults={"workflow": workflow})


def create_translators(code: str) -> None:
    """Create the group of those who translate into a language that is new to the site."""
    if code in TRANSLATORS:
        _create_group(TRANSLATORS[code])


def grant(page: Page) -> None:
    """Grant the roles their permissions on a new home page of a language or a new newsletter page."""
    roles = [role for role in ROLES if role.where == page._meta.label_lower]
    if page.depth == HOME_DEPTH:
        roles += [role for code, role in TRANSLATORS.items() if code == page.locale.language_code]
    for role in roles:
        group = Group.objects.filter(name=role.name).first()
        if group:
            _grant_page_permissions(group, role, page)
