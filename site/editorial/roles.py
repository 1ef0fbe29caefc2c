"""Who may do what: the roles that a new site begins with, as groups of Wagtail, and the workflow between them.

The home app's migration makes them; administrators may change them afterwards. A role reaches pages in one of three ways:
everywhere, in the tree of one language (translators), or below the newsletter's page (newsletter managers). Pages that do
not exist yet when the groups are made give the roles their rights when they are created (`grant`).
"""

from dataclasses import dataclass, field

from core.page_permissions import HOME_DEPTH

EVERYWHERE, LANGUAGE, NEWSLETTER = "everywhere", "language", "newsletter.newsletterpage"
OWN_FILES = ["add", "choose"]  # to add files means to look after those as well
FILES = [*OWN_FILES, "change"]
EVERY_FILE_RIGHT = [*FILES, "delete"]
TEXTS = [f"core.{action}_{model}" for model in ("menu", "sitesettings", "topic") for action in ("change", "view")]
EVERY_TEXT_RIGHT = [
    *TEXTS,
    *(f"core.{action}_{model}" for model in ("menu", "sitesettings", "topic") for action in ("add", "delete")),
    "core.publish_menu",
    "core.publish_sitesettings",
]
NEWSLETTER_MODELS = {
    "campaign": ["add", "change", "view"],
    "segment": ["add", "change", "delete", "view"],
    "subscriber": ["add", "change", "delete", "view"],
    "subscriberimport": ["add", "view"],
    "subscriberexport": ["add"],
    "providerevent": ["view"],
    "incomingreport": ["view"],
}
SEND = [f"newsletter.{action}_{model}" for model, actions in NEWSLETTER_MODELS.items() for action in actions]
TRANSLATE = "wagtail_localize.submit_translation"
READ_MESSAGES = ["home.view_contactmessage", "home.delete_contactmessage"]
REDIRECTS = [f"wagtailredirects.{action}_redirect" for action in ("add", "change", "delete", "view")]
RUN = [
    *(f"auth.{action}_{model}" for model in ("user", "group") for action in ("add", "change", "delete", "view")),
    *(f"wagtailcore.{action}_site" for action in ("add", "change", "delete", "view")),
    *(f"wagtailcore.{action}_locale" for action in ("add", "change", "delete", "view")),
    *(f"wagtailcore.{action}_{model}" for model in ("workflow", "task") for action in ("add", "change", "delete")),
]


@dataclass(frozen=True)
class Role:
    """A group: its `name`, its rights over `pages` and where they hold (EVERYWHERE, LANGUAGE, or below pages of
    the model named), over images and documents (`files`) and `collections`, and all others as “app.codename”."""

    name: str
    pages: list = field(default_factory=list)
    where: str = EVERYWHERE
    files: list = field(default_factory=list)
    others: list = field(default_factory=list)
    collections: list = field(default_factory=list)


EDITOR = Role("Edición", ["add", "change"], files=FILES, others=[TRANSLATE])
PUBLISHER = Role(
    "Publicación",
    ["add", "change", "publish", "lock", "unlock", "bulk_delete"],
    files=EVERY_FILE_RIGHT,
    others=[TRANSLATE, *EVERY_TEXT_RIGHT, *REDIRECTS, *READ_MESSAGES],
)
NEWSLETTER_MANAGER = Role(
    "Boletín", ["add", "change", "publish"], where=NEWSLETTER, files=OWN_FILES, others=[TRANSLATE, *SEND]
)
ADMINISTRATOR = Role(
    "Administración",
    PUBLISHER.pages,
    files=EVERY_FILE_RIGHT,
    others=[*PUBLISHER.others, *SEND, *RUN],
    collections=["add", "change", "delete"],
)
TRANSLATORS = {
    "en": Role("Traducción al inglés", ["add", "change"], LANGUAGE, OWN_FILES, [TRANSLATE, *TEXTS]),
    "pt-br": Role("Traducción al portugués", ["add", "change"], LANGUAGE, OWN_FILES, [TRANSLATE, *TEXTS]),
}
ROLES = [EDITOR, *TRANSLATORS.values(), PUBLISHER, NEWSLETTER_MANAGER, ADMINISTRATOR]
WORKFLOW = "Revisar y publicar"


def install(get_model):
    """Make the groups, their rights and the workflow where they are missing; `get_model` as that of Django's app registry."""
    get_model("auth.Group").objects.filter(name__in=["Editors", "Moderators"], user__isnull=True).delete()
    for role in ROLES:
        _make_group(get_model, role)
    _make_workflow(get_model)


def _make_group(get_model, role):
    group, is_new = get_model("auth.Group").objects.get_or_create(name=role.name)
    if not is_new:
        return
    for name in ["wagtailadmin.access_admin", *role.others]:
        app_label, codename = name.split(".")
        group.permissions.add(_permission(get_model, app_label, codename))
    if role.where == EVERYWHERE:
        _give(get_model, group, role, get_model("wagtailcore.Page").objects.get(depth=1))
    models = [("wagtailimages", "image"), ("wagtaildocs", "document")]
    names = [(app_label, f"{action}_{model}") for app_label, model in models for action in role.files]
    names += [("wagtailcore", f"{action}_collection") for action in role.collections]
    collection = get_model("wagtailcore.Collection").objects.get(depth=1)
    for app_label, codename in names:
        permission = _permission(get_model, app_label, codename)
        get_model("wagtailcore.GroupCollectionPermission").objects.create(
            group=group, collection=collection, permission=permission
        )


def _permission(get_model, app_label, codename):
    """A permission; some, such as those to publish snippets, are otherwise made only after the last migration."""
    permissions = get_model("auth.Permission").objects
    found = permissions.filter(content_type__app_label=app_label, codename=codename).first()
    if found:
        return found
    action, _separator, model = codename.rpartition("_")
    kind, _is_new = get_model("contenttypes.ContentType").objects.get_or_create(app_label=app_label, model=model)
    return permissions.create(content_type=kind, codename=codename, name=f"Can {action} {model}")


def _give(get_model, group, role, page):
    for action in role.pages:
        permission = _permission(get_model, "wagtailcore", f"{action}_page")
        get_model("wagtailcore.GroupPagePermission").objects.get_or_create(
            group=group, page_id=page.pk, permission=permission
        )


def _make_workflow(get_model):
    """One step: publishers look through what was handed in, and publish it."""
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


def grant(page):
    """Give the roles their rights over a home page of a language or a newsletter's page that was just created."""
    from django.apps import apps
    from django.contrib.auth.models import Group

    meant = [role for role in ROLES if role.where == page._meta.label_lower]
    if page.depth == HOME_DEPTH:
        meant += [role for code, role in TRANSLATORS.items() if code == page.locale.language_code]
    for role in meant:
        group = Group.objects.filter(name=role.name).first()
        if group:
            _give(apps.get_model, group, role, page)
