"""The starter content in Spanish. English and Portuguese are in en.po and pt_BR.po beside this file, keyed by these
texts.

The content is based on facts provided by CLAC. A page is a dictionary of its fields; `key` names it permanently (the
translation key is derived from it), and `body` is a list of (block, value) pairs.
"""

from datetime import date
from typing import Any

Block = tuple[str, Any]  # (type, value)


def p(*paragraphs: str) -> str:
    """Return paragraphs of rich text."""
    return "".join(f"<p>{text}</p>" for text in paragraphs)


def ul(*items: str) -> str:
    """Return a list in rich text."""
    return "<ul>" + "".join(f"<li>{text}</li>" for text in items) + "</ul>"


def pillars(*points: tuple[str, str]) -> Block:
    return ("pillars", {"rows": [{"title": title, "text": p(text)} for title, text in points]})


def goals(*texts: str) -> Block:
    return ("goals", {"rows": [p(text) for text in texts]})


TOPICS = [
    ("organizacion", "Nuestra organización"),
    ("mercados", "Acceso a mercados"),
    ("desarrollo-sostenible", "Desarrollo sostenible"),
    ("incidencia", "Incidencia"),
]

# Terms of the organisation, with their wording in each language.
GLOSSARY = [
    {
        "es": "Coordinadora Latinoamericana y del Caribe de Pequeños(as) Productores(as) y Trabajadores(as) de Comercio Justo",
        "en": "Latin American and Caribbean Network of Fair Trade Small Producers and Workers",
        "pt-br": "Coordenadora Latino-americana e do Caribe de Pequenos(as) Produtores(as) e Trabalhadores(as) de Comércio Justo",
    },
    {"es": "Coordinadoras Nacionales", "en": "Country Platforms", "pt-br": "Coordenadoras Nacionais"},
    {"es": "Redes de Producto", "en": "Product Networks", "pt-br": "Redes de Produto"},
    {"es": "Red de Trabajadores(as)", "en": "Workers Network", "pt-br": "Rede de Trabalhadores(as)"},
    {"es": "Comercio Justo", "pt-br": "Comércio Justo"},
    {"es": "Fairtrade", "en": "Fairtrade", "pt-br": "Fairtrade"},
    {"es": "CLAC", "en": "CLAC", "pt-br": "CLAC"},
]

SITE = {
    "organisation": "CLAC",
    "full_name": "Coordinadora Latinoamericana y del Caribe de Pequeños(as) Productores(as) y Trabajadores(as) de Comercio Justo",
    "footer_text": "Somos cerca de 1000 organizaciones de 24 países. Juntas y juntos hacemos crecer el comercio justo.",
}

HOME = {
    "key": "home",
    "title": "Inicio",
    "slug": "inicio",
    "seo_title": "Comercio justo desde América Latina y el Caribe",
    "search_description": "CLAC es la red de organizaciones de productoras y productores, trabajadoras y trabajadores que promueve el comercio justo en América Latina y el Caribe.",
    "purpose_title": "Somos agentes de cambio de nuestra propia realidad",
    "purpose": p(
        "Somos la red de organizaciones de productoras y productores, trabajadoras y trabajadores que lidera la promoción de los principios y valores del comercio justo en América Latina y el Caribe. Desde lo que cada quien vive y hace, avanzamos hacia un mundo más justo, equitativo y sostenible."
    ),
    "body": [
        (
            "figures",
            {
                "rows": [
                    {"number": "1000", "label": "organizaciones miembros, aproximadamente"},
                    {"number": "24", "label": "países del continente"},
                ]
            },
        ),
        (
            "statement",
            p(
                "Representamos a nuestras organizaciones y a sus comunidades: sus intereses, su empoderamiento, su desarrollo."
            ),
        ),
    ],
}

ABOUT = {
    "key": "about",
    "title": "Quiénes somos",
    "slug": "quienes-somos",
    "pattern": "hills",
    "introduction": "Somos la voz de las pequeñas productoras, los pequeños productores y las personas trabajadoras del comercio justo en América Latina y el Caribe.",
    "search_description": "Qué es CLAC, a quiénes representa, cómo se organiza y cuál es su historia desde 1996.",
    "body": [
        (
            "text",
            p(
                "CLAC es copropietaria del sistema Fairtrade International. Como red continental de productores y trabajadores, compartimos esa propiedad con quienes lo construyen en otras partes del mundo.",
                "Representamos a todas las organizaciones certificadas Fairtrade de América Latina y el Caribe, y también a otras organizaciones de comercio justo.",
                "Nuestra razón de ser está en las organizaciones miembros y en sus comunidades: representamos y promovemos sus intereses, su empoderamiento y su desarrollo.",
            ),
        ),
        (
            "map",
            {
                "figures": [
                    {"number": "1000", "label": "organizaciones miembros, aproximadamente"},
                    {"number": "24", "label": "países del continente"},
                ],
                "countries": [],
            },
        ),
        ("heading", "Cómo nos organizamos"),
        pillars(
            ("Coordinadoras Nacionales", "Reúnen a productoras y productores de distintos productos de un mismo país."),
            ("Redes de Producto", "Unen a productoras y productores de un mismo producto de distintos países."),
            ("Red de Trabajadores(as)", "Es el espacio propio de las trabajadoras y los trabajadores."),
        ),
        ("heading", "Nuestra historia"),
        (
            "timeline",
            {
                "rows": [
                    {
                        "date": "1996",
                        "text": p(
                            "Se fundan dos redes continentales de pequeños productores: la CLA (Coordinadora Latinoamericana), de caficultoras y caficultores de pequeña escala del comercio justo, y la PAUAL (Pequeños Apicultores Unidos de América Latina), de quienes crían abejas en pequeña escala."
                        ),
                    },
                    {"date": "1997", "text": p("Un año después que ellas, nace FLO.")},
                    {"date": "2004", "text": p("Nace CLAC.")},
                    {"date": "2005", "text": p("CLAC obtiene su personalidad jurídica.")},
                    {
                        "date": "Enero de 2022",
                        "text": p("La VIII Asamblea General aprueba el Plan Estratégico 2022-2024."),
                    },
                ]
            },
        ),
    ],
}

MISSION = {
    "key": "mission",
    "title": "Misión, visión y propósito",
    "slug": "mision-vision-y-proposito",
    "pattern": "weave",
    "introduction": "Lo que nos inspira, lo que queremos llegar a ser y lo que hacemos cada día.",
    "search_description": "El propósito que inspira a CLAC, su visión y las tres partes de su misión.",
    "body": [
        ("heading", "Nuestro propósito"),
        (
            "statement",
            p(
                "Somos la red que lidera la promoción de los principios y valores del comercio justo en América Latina y el Caribe."
            ),
        ),
        (
            "text",
            p(
                "Nos forman organizaciones de productoras y productores, de trabajadoras y trabajadores. Cada persona actúa como agente de cambio en su propia realidad, para que el mundo sea más justo, más equitativo y más sostenible."
            ),
        ),
        ("heading", "Nuestra visión"),
        (
            "statement",
            p(
                "Queremos ser la red líder en representar, acompañar y fortalecer a quienes producen y trabajan en Fairtrade."
            ),
        ),
        (
            "text",
            p("Queremos serlo para las organizaciones de pequeños productores y de trabajadores de nuestra región:")
            + ul(
                "fomentando el desarrollo sostenible;",
                "promoviendo el empoderamiento, la autogestión y los derechos humanos;",
                "para que productoras y productores, trabajadoras y trabajadores y sus comunidades tengan medios de vida dignos.",
            ),
        ),
        ("heading", "Nuestra misión"),
        pillars(
            (
                "Representar y fortalecer",
                "Representamos a pequeñas productoras, pequeños productores, trabajadoras y trabajadores organizados democráticamente, y trabajamos para fortalecer y desarrollar las organizaciones de base.",
            ),
            (
                "Asistir y promover",
                "Asistimos a nuestras organizaciones miembros y promovemos sus productos y sus valores.",
            ),
            ("Incidir", "Ejercemos influencia social, política y económica."),
        ),
    ],
}

GUIDELINES = {
    "key": "guidelines",
    "title": "Lineamientos estratégicos",
    "slug": "lineamientos-estrategicos",
    "pattern": "cocoa",
    "introduction": "Cuatro pilares sostienen todo lo que hacemos.",
    "search_description": "Desarrollo sostenible, inclusión y equidad, empoderamiento e innovación: los cuatro lineamientos estratégicos de CLAC.",
    "body": [
        ("heading", "Los cuatro pilares"),
        pillars(
            (
                "Desarrollo sostenible",
                "Buscamos el equilibrio entre lo económico, lo social y lo ambiental. Hacemos nuestra la definición de la Comisión Brundtland de las Naciones Unidas: atender las necesidades de hoy sin comprometer la capacidad de las generaciones futuras de atender las suyas.",
            ),
            (
                "Inclusión y equidad",
                "Queremos las mismas oportunidades para todas las personas, sin dejar a nadie atrás. Promovemos la participación y la inclusión, respetamos la diversidad y creamos oportunidades para que todas y todos crezcan.",
            ),
            (
                "Empoderamiento",
                "Cada persona es protagonista activa de su propio desarrollo: así transforma su realidad y mejora su calidad de vida.",
            ),
            (
                "Innovación",
                "Mejoramos prácticas, procesos, enfoques y métodos, para que quienes producen tengan herramientas hechas a la medida de su contexto, su producción y su comercialización.",
            ),
        ),
        ("heading", "Innovar también puertas adentro"),
        (
            "text",
            p(
                "La innovación incluye una cultura propia dentro de la organización: nuevas combinaciones de ideas, capacidades, recursos, conocimientos y tecnología."
            ),
        ),
    ],
}

GOALS = {
    "key": "goals",
    "title": "Objetivos y plan estratégico",
    "slug": "objetivos-y-plan-estrategico",
    "pattern": "banana",
    "introduction": "Hacia dónde vamos como organización, y los cuatro objetivos del Plan Estratégico 2022-2024.",
    "search_description": "Los seis objetivos organizacionales de CLAC y los cuatro objetivos estratégicos de su Plan 2022-2024.",
    "body": [
        ("heading", "Seis objetivos como organización"),
        goals(
            "Más acceso a mercados, existentes o nuevos.",
            "Una membresía más fuerte y más desarrollada.",
            "La promoción de los principios y valores del comercio justo.",
            "La incidencia por una producción, un comercio y un consumo responsables, para el desarrollo sostenible.",
            "La sostenibilidad organizacional de la propia CLAC.",
            "El aporte a los Objetivos de Desarrollo Sostenible (ODS), incorporando buenas prácticas sociales y ambientales.",
        ),
        ("heading", "Cuatro objetivos del Plan Estratégico 2022-2024"),
        (
            "text",
            p("La VIII Asamblea General aprobó el plan en enero de 2022. Estos son sus objetivos estratégicos:"),
        ),
        goals(
            "Optimizar el acceso a los mercados, promoviendo el comercio justo tanto en el Norte como en el Sur.",
            "Elevar el empoderamiento y el desarrollo de la membresía con una oferta integral de servicios que responda a sus necesidades, prioridades y expectativas.",
            "Contar con una estrategia integral de posicionamiento e incidencia sobre los valores del comercio justo, por una producción y un consumo responsables en la región.",
            "Aumentar la capacidad organizacional en las estructuras y en el equipo operativo de CLAC, para lograr mejores resultados.",
        ),
    ],
}

PARTNERS = {
    "key": "partners",
    "title": "Alianzas y membresías",
    "slug": "alianzas-y-membresias",
    "pattern": "honey",
    "introduction": "Desde sus inicios, CLAC cuenta con el apoyo de cooperantes y donantes internacionales. No caminamos solas ni solos.",
    "search_description": "Los trece socios y aliados más relevantes de CLAC a nivel regional y las redes internacionales de las que es parte.",
    "body": [
        ("heading", "Socios y aliados"),
        ("text", p("Estos son los más relevantes de los últimos años a nivel regional:")),
        (
            "partners",
            {
                "rows": [
                    {"name": "Fairtrade International", "detail": "Nuestro socio más importante en el comercio justo."},
                    {
                        "name": "Cooperación del Reino Unido",
                        "detail": "Departamento para el Desarrollo Internacional (DFID).",
                    },
                    {"name": "Cooperación del gobierno de Finlandia", "detail": "A través de Fairtrade Finlandia."},
                    {"name": "Agencia Francesa de Desarrollo (AFD)", "detail": "A través de Max Havelaar Francia."},
                    {"name": "Cooperación belga", "detail": "Agencia Belga de Desarrollo (BTC)."},
                    {"name": "Cooperación alemana", "detail": "BMZ, GIZ y Fairtrade Alemania."},
                    {"name": "ACODEA", "detail": "Agriagencia de cooperación internacional para el desarrollo rural."},
                    {"name": "Fundación Interamericana (IAF)", "detail": ""},
                    {"name": "Secretaría de Estado para Asuntos Económicos de Suiza (SECO)", "detail": ""},
                    {"name": "PNUD", "detail": "En la República Dominicana."},
                    {"name": "FIDA y Agroexport", "detail": "En Centroamérica."},
                    {"name": "TRIAS", "detail": "Organización no gubernamental de Bélgica."},
                    {"name": "Fundación Progresso", "detail": "De los Países Bajos."},
                ]
            },
        ),
        ("heading", "Redes de las que somos parte"),
        (
            "text",
            p("CLAC es copropietaria del sistema Fairtrade International y miembro de:")
            + ul(
                "la Organización Mundial del Comercio Justo (WFTO);",
                "la Red Intercontinental de Promoción de la Economía Social Solidaria (RIPESS);",
                "la Alianza Financiera para el Comercio Sostenible (FAST).",
            )
            + p(
                "Además, las coordinadoras nacionales y las organizaciones miembros mantienen otras relaciones estratégicas con socios y donantes a nivel nacional y local."
            ),
        ),
    ],
}

NEWS = {
    "key": "news",
    "title": "Noticias",
    "slug": "noticias",
    "pattern": "coffee",
    "introduction": "Lo que hacemos, decidimos y aprendemos en la red.",
    "search_description": "Noticias de CLAC: la vida de la red de pequeños productores y trabajadores de comercio justo.",
}

NEWSLETTER = {
    "key": "newsletter",
    "title": "Boletín informativo",
    "slug": "boletin",
    "pattern": "honey",
    "introduction": "Las noticias de la red, en su correo y en su idioma.",
    "search_description": "Suscríbase al boletín informativo de CLAC y lea las ediciones anteriores.",
}

ISSUE = {
    "key": "issue-welcome",
    "title": "Conozca a CLAC",
    "slug": "conozca-a-clac",
    "subject": "Conozca a CLAC en cinco minutos",
    "preheader": "Quiénes somos, qué nos guía y por dónde empezar a leer.",
    "search_description": "Una edición de muestra: quiénes somos, qué nos guía y por dónde empezar a leer.",
    "body": [
        ("greeting", {"named": "Hola, {name}:", "unnamed": "Hola:"}),
        (
            "text",
            p(
                "Somos cerca de 1000 organizaciones de 24 países de América Latina y el Caribe. Nos une el comercio justo, y nos mueve la idea de que cada persona puede transformar su propia realidad."
            ),
        ),
        ("heading", "Para empezar a leer"),
        ("news", {"chosen": [], "since_last": False, "latest": 3}),
        ("button", {"text": "Quiénes somos", "page": "about", "address": ""}),
    ],
}

PRIVACY = {
    "key": "privacy",
    "title": "Aviso de privacidad",
    "slug": "aviso-de-privacidad",
    "introduction": "Qué datos guardamos, para qué, y cómo decide usted sobre ellos.",
    "search_description": "Qué datos personales guarda este sitio, para qué los usa y qué derechos tiene usted.",
    "body": [
        ("heading", "Al visitar el sitio"),
        (
            "text",
            p(
                "Este sitio no usa cookies para quienes lo leen, no carga nada de terceros y no sigue a nadie. Por eso no verá ningún aviso que tenga que aceptar."
            ),
        ),
        ("heading", "Al suscribirse al boletín"),
        (
            "text",
            p(
                "Guardamos su dirección de correo y su idioma y, si usted los da, su nombre y los temas que le interesan. Los usamos solo para enviarle el boletín. La base es su consentimiento, y por eso le pedimos confirmarlo con un botón.",
                "Como prueba de ese consentimiento guardamos cuándo y cómo lo dio, el texto que leyó y una parte de la dirección de red desde la que lo hizo.",
                "Cada correo trae un enlace para salir con un clic y otro para cambiar de idioma o de temas. Los envíos pasan por un servicio de correo que actúa por encargo nuestro.",
                "Si no confirma, borramos su solicitud a los treinta días. Si se da de baja, guardamos la prueba de su consentimiento hasta tres años y después la borramos.",
            ),
        ),
        ("heading", "Al escribirnos"),
        ("text", p("Usamos su nombre, su correo y su mensaje solo para responderle.")),
        ("heading", "Sus derechos"),
        (
            "text",
            p(
                "Puede pedirnos ver, corregir, llevarse o borrar sus datos, y retirar su consentimiento cuando quiera. Son los derechos que reconocen, entre otras normas, el Reglamento General de Protección de Datos de la Unión Europea y la Ley General de Protección de Datos de Brasil. Escríbanos desde la página de contacto.",
                "Para los datos del boletín no hace falta pedirlo: la página de preferencias, a la que lleva cada correo, permite descargarlos y borrarlos al instante.",
            ),
        ),
    ],
}

CONTACT = {
    "key": "contact",
    "title": "Contacto",
    "slug": "contacto",
    "pattern": "coffee",
    "introduction": "¿Una pregunta, una idea, una noticia de su organización? Escríbanos.",
    "search_description": "Escriba a CLAC: preguntas, ideas y noticias de su organización son bienvenidas.",
    "body": [],
}

SECTIONS = [MISSION, GUIDELINES, GOALS, PARTNERS]

ARTICLES: list[dict[str, Any]] = [
    {
        "key": "article-1996",
        "title": "Dos redes abren el camino: la CLA y la PAUAL",
        "slug": "dos-redes-abren-el-camino",
        "date": date(1996, 1, 1),
        "date_precision": "year",
        "pattern": "honey",
        "picture": ("honey", "Tejido de rombos escalonados en tonos de miel y café"),
        "introduction": "En 1996, pequeños caficultores y pequeños apicultores fundan dos redes continentales. De ahí venimos.",
        "topics": ["organizacion"],
        "body": [
            (
                "text",
                p(
                    "En 1996 nacen dos redes continentales de pequeños productores. La <b>CLA</b>, Coordinadora Latinoamericana, reúne a caficultoras y caficultores de pequeña escala del comercio justo. La <b>PAUAL</b>, Pequeños Apicultores Unidos de América Latina, reúne a quienes crían abejas en pequeña escala.",
                    "Un año después, en 1997, se funda FLO. Las redes de quienes producen ya estaban ahí.",
                ),
            ),
        ],
    },
    {
        "key": "article-2004",
        "title": "Nace CLAC",
        "slug": "nace-clac",
        "date": date(2004, 1, 1),
        "date_precision": "year",
        "pattern": "weave",
        "picture": ("weave", "Tejido de rombos escalonados en verde, maíz y arcilla"),
        "introduction": "En 2004, ocho años después de las primeras redes continentales, nace CLAC.",
        "topics": ["organizacion"],
        "body": [
            (
                "text",
                p(
                    "CLAC nace en 2004 como la coordinadora de las pequeñas productoras, los pequeños productores y las personas trabajadoras de comercio justo de América Latina y el Caribe.",
                    "Su tarea hacia las organizaciones miembros y sus comunidades es representar y promover sus intereses, su empoderamiento y su desarrollo.",
                ),
            ),
        ],
    },
    {
        "key": "article-2005",
        "title": "CLAC obtiene su personalidad jurídica",
        "slug": "clac-obtiene-su-personalidad-juridica",
        "date": date(2005, 1, 1),
        "date_precision": "year",
        "pattern": "hills",
        "picture": None,
        "introduction": "En 2005, un año después de su fundación, CLAC obtiene su personalidad jurídica.",
        "topics": ["organizacion"],
        "body": [
            (
                "text",
                p(
                    "Desde 2005 CLAC tiene personalidad jurídica. Hoy es copropietaria del sistema Fairtrade International: como red continental de productores y trabajadores, comparte esa propiedad."
                ),
            ),
        ],
    },
    {
        "key": "article-assembly",
        "title": "La VIII Asamblea General aprueba el Plan Estratégico 2022-2024",
        "slug": "la-viii-asamblea-general-aprueba-el-plan-estrategico",
        "date": date(2022, 1, 1),
        "date_precision": "month",
        "pattern": "banana",
        "picture": ("assembly", "Tejido de franjas y rombos, uno junto a otro como en una asamblea"),
        "introduction": "En enero de 2022 la asamblea fija el rumbo de la red con cuatro objetivos estratégicos.",
        "topics": ["organizacion", "mercados"],
        "body": [
            (
                "text",
                p(
                    "La VIII Asamblea General, en enero de 2022, aprobó el Plan Estratégico 2022-2024. El plan tiene cuatro objetivos:"
                )
                + ul(
                    "optimizar el acceso a los mercados, con el comercio justo en el Norte y en el Sur;",
                    "elevar el empoderamiento y el desarrollo de la membresía con una oferta integral de servicios;",
                    "contar con una estrategia integral de posicionamiento e incidencia sobre los valores del comercio justo;",
                    "aumentar la capacidad organizacional en las estructuras y en el equipo operativo.",
                ),
            ),
            ("button", {"text": "Ver los objetivos completos", "page": "goals", "address": ""}),
        ],
    },
    {
        "key": "article-guidelines",
        "title": "Cuatro lineamientos, explicados con calma",
        "slug": "cuatro-lineamientos-explicados",
        "date_precision": "none",
        "pattern": "cocoa",
        "picture": ("cocoa", "Cuatro franjas tejidas, cada una con su propio dibujo"),
        "introduction": "Desarrollo sostenible, inclusión y equidad, empoderamiento, innovación: qué quiere decir cada uno.",
        "topics": ["desarrollo-sostenible"],
        "body": [
            ("heading", "Desarrollo sostenible"),
            (
                "text",
                p(
                    "Es el equilibrio entre lo económico, lo social y lo ambiental. La definición viene de la Comisión Brundtland de las Naciones Unidas: cubrir lo que hoy hace falta sin quitarles a las generaciones futuras la posibilidad de cubrir lo suyo."
                ),
            ),
            ("heading", "Inclusión y equidad"),
            (
                "text",
                p(
                    "Nadie se queda atrás. Se trata de participar, de respetar la diversidad y de que las oportunidades de crecer sean de todas y todos."
                ),
            ),
            ("heading", "Empoderamiento"),
            (
                "text",
                p(
                    "Nadie desarrolla a nadie: cada persona actúa en su propio desarrollo y mejora así su calidad de vida."
                ),
            ),
            ("heading", "Innovación"),
            (
                "text",
                p(
                    "Son mejores prácticas, procesos, enfoques y métodos, con herramientas que sirvan en el lugar donde se produce y se vende. Y es también una manera de trabajar dentro de la organización."
                ),
            ),
            ("button", {"text": "Ver los lineamientos", "page": "guidelines", "address": ""}),
        ],
    },
    {
        "key": "article-structure",
        "title": "Países, productos, trabajo: así se teje la red",
        "slug": "asi-se-teje-la-red",
        "date_precision": "none",
        "pattern": "weave",
        "picture": ("structure", "Hilos que se cruzan y forman rombos escalonados"),
        "introduction": "Coordinadoras Nacionales, Redes de Producto y Red de Trabajadores(as): tres maneras de encontrarse.",
        "topics": ["organizacion"],
        "body": [
            (
                "text",
                p(
                    "Cerca de 1000 organizaciones de 24 países forman CLAC. ¿Cómo se encuentran? Por tres caminos.",
                    "En las <b>Coordinadoras Nacionales</b> se reúnen productoras y productores de distintos productos de un mismo país. En las <b>Redes de Producto</b>, productoras y productores de un mismo producto de distintos países. Y la <b>Red de Trabajadores(as)</b> es el espacio de las trabajadoras y los trabajadores.",
                ),
            ),
        ],
    },
    {
        "key": "article-goals",
        "title": "Seis objetivos para una red más fuerte",
        "slug": "seis-objetivos-para-una-red-mas-fuerte",
        "date_precision": "none",
        "pattern": "coffee",
        "picture": None,
        "introduction": "Mercados, membresía, valores, incidencia, sostenibilidad y ODS: los seis objetivos de la organización.",
        "topics": ["mercados", "incidencia", "desarrollo-sostenible"],
        "body": [
            (
                "text",
                p("Seis objetivos ordenan el trabajo de CLAC como organización:")
                + ul(
                    "llegar a más mercados, existentes o nuevos;",
                    "fortalecer y desarrollar la membresía;",
                    "promover los principios y valores del comercio justo;",
                    "incidir por una producción, un comercio y un consumo responsables;",
                    "sostener a la propia CLAC como organización;",
                    "aportar a los Objetivos de Desarrollo Sostenible (ODS) con buenas prácticas sociales y ambientales.",
                ),
            ),
            ("button", {"text": "Ver los objetivos completos", "page": "goals", "address": ""}),
        ],
    },
]

MAIN_MENU = ["about", "mission", "guidelines", "goals", "partners", "news", "newsletter", "contact"]
FOOTER_MENU = ["about", "news", "newsletter", "privacy", "contact"]
# Menu texts where a title is long.
MENU_TEXTS = {
    "mission": "Misión y visión",
    "guidelines": "Lineamientos",
    "goals": "Objetivos",
    "partners": "Alianzas",
    "newsletter": "Boletín",
}
