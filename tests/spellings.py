"""Other ways to write a path, which servers and proxies take for the same one, or do not."""

from urllib.parse import quote


def spellings(folder: str, name: str) -> list[str]:
    """Paths below `/media/` that might lead to the file `name` in `folder`, as they are sent over the wire."""
    path = f"{folder}/{name}"
    dots = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "..%00", "..;"]
    found = [
        path,
        f"/{path}",
        f"//{path}",
        f"./{path}",
        f".//{path}",
        f"%2e/{path}",
        f"%2f{path}",
        f"%5c{path}",
        f"\\{path}",
        f"{folder}//{name}",
        f"{folder}/./{name}",
        f"{folder}%2f{name}",
        f"{folder}%2F{name}",
        f"{folder}%252f{name}",
        f"{folder}%5c{name}",
        f"{folder}\\{name}",
        f"{folder.upper()}/{name}",
        f"{folder.title()}/{name}",
        f"{path}%00",
        f"{path}%00.jpg",
        f"{path}%20",
        f"{path}.",
        f"{path}/",
        f"{path};a=1",
        f"{path}%3f",
        f"{path}%23",
        "".join(f"%{letter:02x}" for letter in path.encode()),
        quote(path.upper()),
        f"images/{name}",
    ]
    for up in dots:
        found += [f"x/{up}/{path}", f"images/{up}/{path}", f"{up}/media/{path}", f"images%2f{up}%2f{path}"]
    return found


def address_spellings(email: str) -> list[str]:
    """Other ways in which an address comes by: typed, encoded for an address bar, a page or a mail, quoted by a program."""
    local, _at, domain = email.partition("@")
    return [
        email,
        email.upper(),
        email.title(),
        quote(email),
        quote(quote(email)),
        "".join(f"%{letter:02X}" for letter in email.encode()),
        email.replace("@", "&#64;"),
        email.replace("@", "＠"),
        f"mailto:{email}",
        f"<{email}>",
        f'"Rosa" <{email}>',
        repr({email: (550, b"no such user")}),
        repr(email.encode()),
        f"{local}+boletin@{domain}",
        f'"{local.replace(".", " ")}"@{domain}',
        f"o'{local}@{domain}",
        f"{{{local}}}@{domain}",
        f"{local}@añejo.example",
        f"{local}@xn--aejo-hqa.example",
        f"{local}@localhost",
        f"{local}@[192.0.2.1]",
        f"https://{email.replace('@', ':secret@')}/",
    ]
