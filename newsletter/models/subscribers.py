"""Models of subscribers, their consent events and suppressions."""

import uuid
from collections.abc import Iterable
from typing import Any, Self

from core.i18n import language_choices
from core.models import Topic, default_language
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from jobs.leases import LeasedModel
from redaction.fields import RedactedCharField, RedactedTextField

from newsletter.subscribers import email_addresses, tokens


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    """Queryset of subscribers with search."""

    def matching(self, text: str) -> Self:
        """Return the subscribers whose address or name contains `text`; an index keeps this fast for a million rows.

        Fewer than three letters are matched against the start of the address.
        """
        text = text.strip().replace("\0", "")
        if len(text) < 3:
            return self.filter(email__gte=text.lower(), email__lt=text.lower() + "\U0010ffff")
        if connection.vendor == "postgresql":
            return self.filter(models.Q(email__icontains=text) | models.Q(name__icontains=text))
        phrase = '"' + text.replace('"', '""') + '"'
        return self.filter(pk__in=RawSQL("SELECT rowid FROM subscriber_find WHERE subscriber_find MATCH %s", [phrase]))

    def delete_with_consent(self) -> int:
        """Delete them with their consent events; return their number.

        They are marked as being erased first: the triggers refuse to delete the consent events of anybody else.
        """
        keys = list(self.values_list("pk", flat=True))
        chosen = Subscriber.objects.filter(pk__in=keys)
        chosen.update(state=Subscriber.State.ERASED)
        chosen.delete()
        return len(keys)


class Subscriber(models.Model):
    """A subscriber of the newsletter. The address is normalised, so that one mailbox is one subscriber."""

    class State(models.TextChoices):
        PENDING = "pending", _("not yet confirmed")
        ACTIVE = "active", _("active")
        UNSUBSCRIBED = "unsubscribed", _("left")
        BOUNCED = "bounced", _("address does not work")
        COMPLAINED = "complained", _("complained")
        ERASED = "erased", _("being erased")  # only within the erasing transaction, for the triggers

    class Source(models.TextChoices):
        FORM = "form", _("sign-up form")
        IMPORT = "import", _("import")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    language = models.CharField(_("language"), max_length=10, choices=language_choices, default=settings.LANGUAGE_CODE)
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("Two letters, such as PE or BR."))
    topics = models.ManyToManyField(
        Topic, blank=True, verbose_name=_("topics"), limit_choices_to=default_language, related_name="+"
    )
    source = models.CharField(
        pgettext_lazy("subscription", "source"), max_length=10, choices=Source, default=Source.FORM
    )
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.PENDING)
    is_disposable = models.BooleanField(
        _("throw-away address"),
        default=False,
        help_text=_("The address belongs to a service for short-lived addresses."),
    )
    new_email = models.EmailField(max_length=254, blank=True, editable=False)  # requested, not yet confirmed
    confirmation_round = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("asked"), default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    engaged_at = models.DateTimeField(_("last click"), null=True, editable=False)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscriber")
        verbose_name_plural = _("subscribers")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["state", "language", "country"], name="subscriber_audience"),
            models.Index(fields=["created_at"], name="subscriber_created"),
            models.Index(fields=["ended_at"], name="subscriber_ended"),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        self.email = email_addresses.normalise(self.email)
        self.name = email_addresses.clean_name(self.name)

    @property
    def manage_token(self) -> str:
        """The signed token of the links to unsubscribe and to the preferences."""
        return tokens.make(tokens.MANAGE, self)


class SubscriberTally(models.Model):
    """The number of subscribers with these values, maintained by triggers (migration 0002_guard_and_index), so
    that counting takes constant time. On PostgreSQL several rows may have the same values; their sum counts."""

    state = models.CharField(max_length=12)
    language = models.CharField(max_length=10)
    country = models.CharField(max_length=2)
    source = models.CharField(max_length=10)
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.state} {self.language} {self.country} {self.source}: {self.number}"


class ConsentEvent(models.Model):
    """A change of a subscription and how it came about.

    Append-only: database triggers refuse to change an event, and to delete one unless its subscriber is being erased.
    """

    class Kind(models.TextChoices):
        ASKED = "asked", _("asked")
        CONFIRMED = "confirmed", _("confirmed")
        CHANGED = "changed", _("changed")
        LEFT = "left", _("left")
        IMPORTED = "imported", pgettext_lazy("subscription", "imported")
        BOUNCED = "bounced", _("address does not work")
        COMPLAINED = "complained", _("complained")
        ERASED = "erased", _("erased")

    class Method(models.TextChoices):
        FORM = "form", _("sign-up form")
        MAIL = "mail", _("link in a mail")
        ONE_CLICK = "one-click", _("one click in the mail program")
        PREFERENCES = "preferences", _("preferences page")
        IMPORT = "import", _("import")
        PROVIDER = "provider", _("the e-mail provider")
        STAFF = "staff", _("staff")
        RESTORED = "restored", _("restored backup")

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="consent_events")
    kind = models.CharField(_("what"), max_length=10, choices=Kind)
    happened_at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    method = models.CharField(_("how"), max_length=12, choices=Method)
    language = models.CharField(_("language"), max_length=10)
    # Events cannot be changed, so other people's addresses are redacted before they are stored.
    wording = RedactedTextField(_("wording shown"), blank=True)
    wording_version = models.CharField(_("version of the wording"), max_length=20, blank=True)
    origin = models.CharField(_("network of origin"), max_length=50, blank=True)
    detail = RedactedCharField(_("detail"), max_length=250, blank=True)
    form_data = models.JSONField(default=dict, editable=False)  # asked, confirmed: {"name": …, "topics": [ids]}
    campaign = models.PositiveBigIntegerField(null=True, editable=False)  # the id of the campaign that led to it

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        ordering = ["happened_at", "pk"]
        indexes = [
            models.Index(fields=["kind", "happened_at"], name="consent_growth"),
            models.Index(fields=["campaign", "kind"], name="consent_campaign"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.happened_at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the event; updates are refused."""
        if self.pk:
            raise ValidationError("A consent event is never changed.")
        super().save(*args, **kwargs)


class Suppression(models.Model):
    """A suppressed address, known only by its keyed hash. Survives erasure.

    ENDED is the weakest reason: the subscription ended and its data is deleted. Imports do not reactivate it, but its
    owner may join again.
    """

    class Reason(models.TextChoices):
        ERASED = "erased", _("erased on request")
        COMPLAINED = "complained", _("complained")
        STAFF = "staff", _("staff")
        ENDED = "ended", _("left, bounced or moved to another address; may join again")

    address_hash = models.CharField(max_length=64, unique=True)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")

    def __str__(self) -> str:
        return self.address_hash[:12]

    @classmethod
    def of(cls, email: str) -> models.QuerySet[Self]:
        """Return the rows of a normalised address, under whichever key they were made."""
        return cls.objects.filter(address_hash__in=email_addresses.hashes(email))

    @classmethod
    def add(cls, email: str, reason: Reason) -> Self:
        """Suppress a normalised address permanently and return its row. An earlier reason stays, unless it is ENDED.

        Call it within a transaction, and look for the address's subscriber afterwards: it waits for concurrent
        transactions that write one, and later ones find the address covered (covers_until_commit).
        """
        with transaction.atomic():
            list(Subscriber.objects.select_for_update().filter(email=email))  # always lock before a row of this table
            row = cls.of(email).first()
            if row is None:
                row, _is_new = cls.objects.get_or_create(
                    address_hash=email_addresses.hashes(email)[0], defaults={"reason": reason}
                )
            if reason != cls.Reason.ENDED:
                cls.of(email).filter(reason=cls.Reason.ENDED).update(reason=reason)
        return row

    @classmethod
    def lift(cls, email: str) -> bool:
        """Lift the suppression of a normalised address. Return whether it was suppressed."""
        return bool(cls.of(email).exclude(reason=cls.Reason.ENDED).delete()[0])

    @classmethod
    def reasons(cls, emails: Iterable[str]) -> dict[str, str]:
        """Return {address: reason} of the known addresses among the normalised `emails`; one query."""
        by_hash = {digest: email for email in emails for digest in email_addresses.hashes(email)}
        found = cls.objects.filter(address_hash__in=by_hash).values_list("address_hash", "reason")
        # There may be two rows under two keys: the weaker first, to be overwritten.
        ranked = sorted(found, key=lambda row: row[1] != cls.Reason.ENDED)
        return {by_hash[digest]: reason for digest, reason in ranked}

    @classmethod
    def covers(cls, emails: Iterable[str]) -> set[str]:
        """Return the set of normalised addresses in `emails` that must not be mailed; one query."""
        return {email for email, reason in cls.reasons(emails).items() if reason != cls.Reason.ENDED}

    @classmethod
    def covers_until_commit(cls, emails: Iterable[str]) -> set[str]:
        """Like covers(), and no suppression is added until this transaction ends. Call it last: no Subscriber may be
        locked after it."""
        if connection.vendor == "postgresql":  # SQLite has one writer at a time
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {cls._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        return cls.covers(emails)


class SignUpRequest(LeasedModel):
    """A sign-up request. The web process only writes this row, the same for every address; a worker does the rest."""

    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=100, blank=True)
    language = models.CharField(max_length=10)
    country = models.CharField(max_length=2, blank=True)
    topics = models.JSONField(default=list)
    wording = models.TextField()
    wording_version = models.CharField(max_length=20)
    origin = models.CharField(max_length=50, blank=True)
    # Set for a change of address from the preferences page.
    changes = models.ForeignKey(Subscriber, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"
