"""Atom feeds."""

from django.urls import path

from .feeds import NewsFeed

urlpatterns = [path("news/feed.xml", NewsFeed(), name="news_feed")]
