"""The words of the sample world: names, job titles in six languages, companies, reasons, domains of free and throw-away mail."""

from dataclasses import dataclass

LANGUAGE_OF_COUNTRY = ("en", "en", "sv", "de", "de", "pt", "pt", "nb", "zh")

FREE_DOMAINS = ("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "gmx.de", "qq.com")
DISPOSABLE_DOMAINS = ("mailinator.com", "10minutemail.com", "guerrillamail.com", "yopmail.com", "trashmail.com")

OWNERS = ("maria.lopez", "jonas.berg", "aisha.khan", "tom.becker", "sofia.nunes", "erik.dahl")
INTERESTS = ("analytics", "automation", "integration", "security", "support")
BUNDLES = ("basic", "standard", "premium")
TECHNOLOGIES = ("AWS", "Azure", "GCP", "on-premises", "mixed")
COMPETITORS = ("Acme Flow", "Northwind Sales", "Globex CRM", "Initech Leads")
LOSS_REASONS = ("price", "no decision", "competitor", "missing feature", "bad timing", "no budget")
WIN_REASONS = ("fit", "price", "references", "integration")
DISQUALIFY_REASONS = ("no response", "no budget", "not a fit", "student", "duplicate interest")
DEAL_STAGES = ("discovery", "proposal", "negotiation")

COMPANY_FIRST = ("Nord", "Blue", "Alpha", "Terra", "Lumen", "Vega", "Silver", "Atlas", "Delta", "Nova", "Orion", "Kite",
                 "Maple", "Polar", "Rio", "Sol", "Fjord", "Jade", "Harbor", "Summit")  # fmt: skip
COMPANY_SECOND = ("works", "line", "soft", "bridge", "field", "point", "stone", "wave", "gate", "grid", "craft", "path")
COMPANY_FORM = {"US": "Inc.", "GB": "Ltd", "SE": "AB", "DE": "GmbH", "AT": "GmbH", "PT": "Lda", "BR": "Ltda", "NO": "AS", "CN": "有限公司"}
DOMAIN_END = {"US": "com", "GB": "co.uk", "SE": "se", "DE": "de", "AT": "at", "PT": "pt", "BR": "com.br", "NO": "no", "CN": "cn"}

# A country's valid numbers: the start, and how many digits follow.
PHONE_START = {"US": ("+1202555", 4), "GB": ("+44740012", 4), "SE": ("+4670174", 4), "DE": ("+4915112", 6), "AT": ("+43664123", 4),
               "PT": ("+351912", 6), "BR": ("+55119912", 5), "NO": ("+474061", 4), "CN": ("+861391234", 4)}  # fmt: skip
WRONG_PHONES = ("+1555", "12345", "+46000000000", "+49 0000", "000-000-0000", "call me", "+999123456789")


@dataclass(frozen=True)
class Language:
    """First names, last names (each also as written in an address), and the parts of job titles: `{}` takes the name of the function."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    functions: tuple[str, ...]  # it, marketing, sales, finance, operations, hr
    chiefs: tuple[tuple[str, ...], ...]  # for each function
    vp: tuple[str, ...]
    director: tuple[str, ...]
    manager: tuple[str, ...]
    specialist: tuple[str, ...]
    junior: tuple[str, ...]


LANGUAGES = {
    "en": Language(
        ("Anna", "James", "Olivia", "David", "Emma", "Michael", "Sarah", "Daniel"),
        ("Smith", "Johnson", "Brown", "Taylor", "Wilson", "Clark", "Lewis", "Walker"),
        ("IT", "Marketing", "Sales", "Finance", "Operations", "Human Resources"),
        (("CTO", "Chief Information Officer"), ("CMO", "Chief Marketing Officer"), ("Chief Sales Officer", "Chief Revenue Officer"),
         ("CFO", "Chief Financial Officer"), ("COO", "Chief Operating Officer"), ("CHRO", "Chief People Officer")),
        ("VP {}", "Vice President of {}", "Senior Vice President {}"),
        ("Director of {}", "Head of {}", "{} Director"),
        ("{} Manager", "Senior {} Manager", "{} Team Lead"),
        ("{} Specialist", "{} Analyst", "{} Coordinator"),
        ("{} Intern", "{} Trainee", "Student, {}"),
    ),
    "sv": Language(
        ("Anna", "Erik", "Karin", "Lars", "Elin", "Johan", "Åsa", "Björn"),
        ("Andersson", "Johansson", "Karlsson", "Nilsson", "Eriksson", "Öberg", "Lindström", "Ek"),
        ("IT", "Marknad", "Försäljning", "Ekonomi", "Drift", "HR"),
        (("IT-direktör", "Teknisk direktör (CTO)"), ("Marknadsdirektör (CMO)", "CMO"), ("Chief Sales Officer", "CSO, Försäljning"),
         ("Ekonomidirektör (CFO)", "CFO"), ("COO", "Operativ direktör (COO)"), ("HR-direktör (CHRO)", "CHRO")),
        ("Vice President {}", "VP {}"),
        ("Avdelningschef {}", "Direktör {}", "Head of {}"),
        ("Gruppchef {}", "Teamledare {}", "{} Manager"),
        ("{} specialist", "Handläggare {}", "{} koordinator"),
        ("Praktikant {}", "Student, {}", "Trainee {}"),
    ),
    "de": Language(
        ("Anna", "Lukas", "Jürgen", "Sabine", "Katrin", "Stefan", "Julia", "Thomas"),
        ("Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Krüger", "Wagner", "Becker"),
        ("IT", "Marketing", "Vertrieb", "Finanzen", "Betrieb", "Personal"),
        (("CTO", "IT-Vorstand"), ("CMO", "Vorstand Marketing"), ("Vorstand Vertrieb", "CSO Vertrieb"), ("CFO", "Finanzvorstand"),
         ("COO", "Vorstand Betrieb"), ("CHRO", "Personalvorstand")),
        ("Vice President {}", "Bereichsvorstand {}", "VP {}"),
        ("Leiter {}", "Leiterin {}", "Direktor {}", "Bereichsleiter {}"),
        ("Teamleiter {}", "{} Manager", "Gruppenleiterin {}"),
        ("Sachbearbeiter {}", "Referentin {}", "{} Spezialist"),
        ("Praktikant {}", "Werkstudentin {}", "Auszubildender {}"),
    ),
    "pt": Language(
        ("Ana", "João", "Inês", "Pedro", "Mariana", "Rui", "Beatriz", "Luís"),
        ("Silva", "Santos", "Ferreira", "Pereira", "Oliveira", "Conceição", "Rodrigues", "Almeida"),
        ("TI", "Marketing", "Vendas", "Finanças", "Operações", "Recursos Humanos"),
        (("CTO", "Diretor Executivo de Tecnologia"), ("CMO", "Diretora Executiva de Marketing"), ("Diretor Executivo de Vendas", "CRO"),
         ("CFO", "Diretor Executivo de Finanças"), ("COO", "Diretora Executiva de Operações"), ("CHRO", "Diretor Executivo de RH")),
        ("Vice-presidente de {}", "VP de {}"),
        ("Diretor de {}", "Diretora de {}", "Head de {}"),
        ("Gerente de {}", "Coordenador de {}", "Gestora de {}"),
        ("Analista de {}", "Especialista em {}", "Assistente de {}"),
        ("Estagiário de {}", "Estagiária de {}", "Estudante, {}"),
    ),
    "nb": Language(
        ("Ingrid", "Ole", "Kari", "Lars", "Silje", "Øyvind", "Marit", "Håkon"),
        ("Hansen", "Johansen", "Olsen", "Larsen", "Berg", "Sørensen", "Haugen", "Moen"),
        ("IT", "Markedsføring", "Salg", "Økonomi", "Drift", "HR"),
        (("Teknisk direktør (CTO)", "IT-direktør"), ("Markedsdirektør (CMO)", "CMO"), ("Salgsdirektør (CSO)", "Konserndirektør salg"),
         ("Finansdirektør (CFO)", "CFO"), ("Driftsdirektør (COO)", "COO"), ("HR-direktør (CHRO)", "CHRO")),
        ("Visepresident {}", "VP {}"),
        ("Avdelingsdirektør {}", "Leder for {}", "Head of {}"),
        ("Teamleder {}", "Gruppeleder {}", "{} Manager"),
        ("Rådgiver {}", "{} spesialist", "Konsulent {}"),
        ("Praktikant {}", "Student, {}", "Lærling {}"),
    ),
    "zh": Language(
        ("伟", "芳", "娜", "敏", "静", "丽", "强", "磊"),
        ("王", "李", "张", "刘", "陈", "杨", "赵", "黄"),
        ("信息技术", "市场", "销售", "财务", "运营", "人力资源"),
        (("首席技术官", "首席信息官"), ("首席营销官", "首席市场官"), ("首席销售官", "首席营收官"), ("首席财务官", "CFO"), ("首席运营官", "COO"),
         ("首席人力资源官", "首席人才官")),
        ("{}副总裁", "高级副总裁（{}）"),
        ("{}总监", "{}部总监"),
        ("{}经理", "高级{}经理", "{}主管"),
        ("{}专员", "{}分析师"),
        ("{}实习生", "学生，{}"),
    ),
}  # fmt: skip

IN_ADDRESSES = {"å": "a", "ä": "a", "ö": "o", "ø": "o", "ü": "u", "é": "e", "ã": "a", "ê": "e", "í": "i", "ç": "c", "õ": "o",
                "伟": "wei", "芳": "fang", "娜": "na", "敏": "min", "静": "jing", "丽": "li", "强": "qiang", "磊": "lei",
                "王": "wang", "李": "li", "张": "zhang", "刘": "liu", "陈": "chen", "杨": "yang", "赵": "zhao", "黄": "huang"}  # fmt: skip
