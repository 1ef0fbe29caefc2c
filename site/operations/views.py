"""The mail of a site without a provider, read in the admin."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from wagtail.admin.auth import user_passes_test

from operations import file_outbox

may_read_mail = user_passes_test(lambda user: user.is_superuser and settings.EMAIL_PROVIDER == "local")


@may_read_mail
def mail_list(request):
    """The newest mails kept on this machine."""
    return render(request, "operations/mail_list.html", {"messages_kept": file_outbox.recent()})


def _kept_mail(key):
    try:
        return file_outbox.read(key)
    except (FileNotFoundError, ValueError):
        raise Http404 from None


@may_read_mail
def mail_detail(request, key):
    """One mail: its headers, the HTML part in a frame, the text part."""
    message = _kept_mail(key)
    text = message.get_body(("plain",))
    context = {"key": key, "message": message, "headers": message.items(), "text": text.get_content() if text else ""}
    return render(request, "operations/mail_detail.html", context)


@may_read_mail
def mail_html(request, key):
    """The HTML part of one mail, in a sandbox."""
    body = _kept_mail(key).get_body(("html",))
    response = HttpResponse(body.get_content() if body else "")
    sandbox = "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
    response["Content-Security-Policy"] = f"{file_outbox.MAIL_POLICY}; sandbox {sandbox}"
    return response
