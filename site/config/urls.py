"""URLconf of the project."""

from accounts import views as account_views
from core import error_views, views
from core.media import serve_media
from core.seo import PageSitemap, robots, security
from core.share_images import share_picture
from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView
from operations import views as operations_views
from operations.metrics import metrics
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

from newsletter.campaigns import tracking
from newsletter.feedback.webhooks import webhook

urlpatterns = [
    path("", views.root, name="root"),
    path("admin/login/passkey/", account_views.sign_in_with_passkey, name="signin_with_passkey"),
    path("admin/login/passkey/options/", account_views.use_options, name="signin_use_options"),
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("media/<path:path>", serve_media, name="media"),
    path("share/<int:page_id>.png", share_picture, name="share_picture"),
    path("webhooks/<slug:provider>/", webhook, name="webhook"),
    path("t/<str:token>/<int:number>/", tracking.follow, name="newsletter_follow"),
    path("t/<str:token>/o.gif", tracking.opened, name="newsletter_opened"),
    path("healthz", operations_views.healthz, name="healthz"),
    path("metrics", metrics, name="metrics"),
    path("readyz", operations_views.readyz, name="readyz"),
    path("favicon.ico", views.icon, {"name": "favicon.ico"}, name="favicon"),
    path("apple-touch-icon.png", views.icon, {"name": "apple-touch-icon.png"}, name="apple_touch_icon"),
    path("site.webmanifest", views.manifest, name="manifest"),
    path("sw.js", views.service_worker, name="service_worker"),
    path(".well-known/security.txt", security, name="security_txt"),
    path("robots.txt", robots, name="robots"),
    path(
        "sitemap.xml",
        sitemap,
        {"sitemaps": {"pages": PageSitemap}, "content_type": "application/xml; charset=utf-8"},
        name="django.contrib.sitemaps.views.sitemap",
    ),
]
urlpatterns += i18n_patterns(
    path(_("search/"), views.search, name="search"),
    path("subscription/", include("newsletter.urls")),
    path(
        "_util/login/", RedirectView.as_view(pattern_name="wagtailadmin_login")
    ),  # Wagtail's front-end login; the admin's is the only one
    path("", include("news.urls")),
    path("", include("home.urls")),
    path("", include(wagtail_urls)),
)

if settings.DEBUG:
    urlpatterns.insert(0, path("__debug__/", include("debug_toolbar.urls")))

handler400 = error_views.bad_request
handler403 = error_views.forbidden
handler404 = error_views.not_found
handler500 = error_views.server_error
