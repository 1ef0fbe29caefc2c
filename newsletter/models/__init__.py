"""The newsletter's data: who asked for it, what is written, and what became of every single mail."""

from .campaigns import Campaign, CampaignContent, Delivery, ProviderEvent
from .editions import IssuePage, NewsletterPage, default_locale
from .imports import ImportLine, SubscriberExport, SubscriberImport
from .segments import Segment
from .subscribers import ConsentEvent, SignUpRequest, Subscriber, Suppression

__all__ = [
    "Campaign",
    "CampaignContent",
    "ConsentEvent",
    "Delivery",
    "ImportLine",
    "IssuePage",
    "NewsletterPage",
    "ProviderEvent",
    "Segment",
    "SignUpRequest",
    "Subscriber",
    "SubscriberExport",
    "SubscriberImport",
    "Suppression",
    "default_locale",
]
