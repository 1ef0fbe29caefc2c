from django.urls import path

from newsletter.editions.feeds import EditionFeed

from . import views

urlpatterns = [
    path("join/", views.join, name="newsletter_join"),
    path("thanks/", views.thanks, name="newsletter_thanks"),
    path("confirm/<str:token>/", views.confirm, name="newsletter_confirm"),
    path("leave/<str:token>/", views.leave, name="newsletter_leave"),
    path("preferences/<str:token>/", views.preferences, name="newsletter_preferences"),
    path("new-address/<str:token>/", views.new_address, name="newsletter_new_address"),
    path("feed.xml", EditionFeed(), name="newsletter_feed"),
    path("data/<str:token>/", views.data, name="newsletter_data"),
]
