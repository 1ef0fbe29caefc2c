from django.urls import path

from . import views

urlpatterns = [
    path("contact/send/", views.contact, name="contact"),
    path("contact/thanks/", views.contact_thanks, name="contact_thanks"),
]
