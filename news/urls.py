"""Atom feeds."""

from django.urls import path

from .feeds import NewsFeed, TopicFeed

urlpatterns = [
    path("news/feed.xml", NewsFeed(), name="news_feed"),
    path("news/topics/<slug:slug>/feed.xml", TopicFeed(), name="topic_feed"),
]
