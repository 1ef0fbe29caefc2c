"""Who may do what with pages."""

HOME_DEPTH = 2  # home pages of the languages stand right below the root


def languages_of(user):
    """The Locales whose pages somebody may change: all for those with rights at the root or on the language's home page."""
    from wagtail.models import Locale, Page
    from wagtail.permission_policies.pages import PagePermissionPolicy

    if user.is_superuser:
        return Locale.objects.all()
    changeable = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
    homes = Page.objects.filter(depth=HOME_DEPTH, pk__in=changeable.values("pk"))
    return Locale.objects.filter(pk__in=homes.values("locale"))


def people_with(permission, page):
    """The active users whose groups hold a page permission (such as "publish") over `page`, superusers left out."""
    from django.contrib.auth import get_user_model
    from wagtail.models import GroupPagePermission

    over = [page.path[:length] for length in range(page.steplen, len(page.path) + 1, page.steplen)]
    groups = GroupPagePermission.objects.filter(page__path__in=over, permission__codename=f"{permission}_page")
    return get_user_model().objects.filter(is_active=True, groups__in=groups.values("group")).distinct()
