"""The newsletter's models: subscribers, editions, campaigns and deliveries."""

from newsletter.delivery.rate_limit import SendAllowance

from .campaigns import (
    Campaign,
    CampaignContent,
    CampaignLink,
    Click,
    Delivery,
    IncomingReport,
    ProviderEvent,
    message_id,
)
from .editions import Digest, IssuePage, IssueTemplate, LeftOutList, NewsletterPage, default_locale
from .imports import ImportLine, SubscriberExport, SubscriberImport
from .segments import Segment
from .subscribers import ConsentEvent, SignUpRequest, Subscriber, SubscriberTally, Suppression

__all__ = [
    "Campaign",
    "CampaignContent",
    "CampaignLink",
    "Click",
    "ConsentEvent",
    "Delivery",
    "Digest",
    "ImportLine",
    "IncomingReport",
    "IssuePage",
    "IssueTemplate",
    "LeftOutList",
    "NewsletterPage",
    "ProviderEvent",
    "Segment",
    "SendAllowance",
    "SignUpRequest",
    "Subscriber",
    "SubscriberExport",
    "SubscriberImport",
    "SubscriberTally",
    "Suppression",
    "default_locale",
    "message_id",
]
