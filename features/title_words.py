"""The words of job titles in English, Swedish, German, Portuguese, Norwegian and Chinese: what each says of rank and
function.

Words are written as people write them and folded on reading (`features.fold`). A phrase stands for more than its
words: "product owner"
is no owner. Compounds ("Einkaufsleiter", "salgsdirektør") need only their parts here. Areas and hints name a
department, people name
someone who works in one. An IT, technical or office word gives way to a commercial one beside it ("software sales");
a hint to anything.
"""

from typing import Final

FUNCTIONS: Final = (
    "executive",
    "sales",
    "marketing",
    "it",
    "engineering",
    "operations",
    "finance",
    "hr",
    "purchasing",
    "legal",
    "research",
    "support",
    "education",
    "other",
)

RANKS: Final = {
    0: """
        student, phd student, undergraduate, estudante, aluno, elev, studerande, studerende, lehrling, 学生, 大学生,
        研究生
    """,
    1: """
        executivo de contas, executivo de vendas, executivo comercial, förvaltare, verwalter, forvalter, 助理工程师,
        specialist, analyst, business analyst, consultant, advisor, adviser, associate, junior, jr, coordinator,
        administrator, officer, representative, rep, agent, account manager, account executive, sales executive,
        marketing executive, business development executive, hr executive, customer service executive, it executive,
        finance executive, operations executive, recruitment executive, purchasing executive,
        customer success manager, community manager, social media manager, case manager, ae, csm, planner, inspector,
        expert, evangelist, professional, software architect, freelance, freelancer, independent consultant,
        generalist, sdr, bdr, clerk, worker, employee, konsult, rådgivare, handläggare, medarbetare, koordinator,
        samordnare, analytiker, strateg, inspektör, anställd, utredare, tjänsteman, berater, referent, sachbearbeiter,
        mitarbeiter, fachkraft, spezialist, kaufmann, kauffrau, angestellte, angestellter, analista, assessor,
        consultor, especialista, agente, representante, representante comercial, operador, autônomo, técnico,
        colaborador, rådgiver, konsulent, saksbehandler, medarbeider, rådgivar, ansatt, spesialist, 专员, 顾问, 代表,
        职员, 员工, 文员, 分析师, 专家, 客户经理, 专业人员, 自由职业
    """,
    2: """
        gerente adjunto, sous chef, pastry chef, senior, sr, snr, lead, principal, experienced, tech lead,
        technical lead, product owner, process owner, service owner, system owner, data owner, platform owner,
        solution owner, key account manager, kam, business partner, hr business partner, people partner,
        talent partner, staff engineer, staff software engineer, art director, casting director, counsel, controller,
        enterprise architect, solution architect, scrum master, assistant professor, associate professor, professor,
        docent, universitetslektor, assistant manager, business controller, pro, produktägare, processägare,
        systemägare, ansvarig, teknisk ledare, nyckelkundsansvarig, verantwortlicher, verantwortliche, beauftragter,
        beauftragte, seniorberater, diretor de arte, responsável, encarregado, líder, líder técnico, sênior,
        gerente de contas, pleno sênior, gestor de contas, ansvarlig, seniorrådgiver, produkteier, systemeier,
        prosesseier, storkundeansvarlig, nestleder, 高级, 资深, 大客户经理, 产品负责人, 副教授, 教授, 首席工程师
    """,
    3: """
        assistant director, diretor adjunto, office manager, category manager, manager, mgr, mngr, supervisor,
        superintendent, leader, team lead, team leader, foreman, head chef, head nurse, chef, executive chef,
        product manager, project manager, pm, brand manager, bdm, business development manager, partner manager,
        financial controller, treasurer, ledare, föreståndare, förman, verkmästare, biträdande chef, mellanchef,
        geschäftsstellenleiter, teamleiter, gruppenleiter, projektleiter, filialleiter, schichtleiter, bauleiter,
        marktleiter, sachgebietsleiter, stationsleiter, kursleiter, meister, oberarzt, projektleitung, teamleitung,
        gruppenleitung, filialleitung, teamchef, gerente, coordenador, gestor, chefe, gerente de produto, leder,
        avdelingsleder, formann, driftsleder, sjef, 经理, 主管, 主任, 组长, 班长, 店长, 科长, 团队负责人, 负责人
    """,
    4: """
        chief physician, director, dir, head, head of department, headmaster, head teacher, headteacher,
        school principal, dean, chief, chief of staff, creative director, account director, art director general,
        editor in chief, company secretary, assistant vice president, department head, direktör, verksamhetschef,
        områdeschef, divisionschef, affärsområdeschef, chefsjurist, chefredaktör, kanslichef, rektor, prefekt,
        förvaltningschef, direktor, leiter, leitung, bereichsleiter, abteilungsleiter, chef der, prokurist, chefarzt,
        schulleiter, bevollmächtigter, chefredakteur, dezernent, diretor, diretoria, superintendente, reitor, head de,
        direktør, dekan, divisjonsdirektør, sjefredaktør, sjefsjurist, sjefingeniør, sjefsøkonom, overlege, 总监,
        部长, 处长, 总工程师, 总工, 厂长, 院长, 校长, 主编, 总编, 总会计师, 大区经理, 首席
    """,
    5: """
        bereichsvorstand, vice president, vp, svp, evp, avp, rvp, executive vice president, senior vice president,
        general manager, gm, executive director, vice vd, vice verkställande direktör, vicepresident, vizepräsident,
        stellvertretender vorstand, mitglied der erweiterten geschäftsleitung, gerente geral, visepresident,
        visedirektør, viseadministrerende direktør, konserndirektør, 副总裁, 副总经理, 副总, 高级副总裁, 执行副总裁,
        常务副总, 常务副总经理, 执行董事
    """,
    6: """
        chief commercial officer, chief revenue officer, chief technology officer, chief information officer,
        chief digital officer, chief operating officer, chief financial officer, ceo, cfo, cto, coo, cmo, cio, ciso,
        cso, cpo, cro, cdo, cco, chro, clo, cao, cxo, c level, chief executive, chief executive officer,
        managing director, md, president, founder, cofounder, co founder, owner, business owner, co owner, proprietor,
        entrepreneur, partner, managing partner, chairman, chairwoman, chairperson, chair of the board, board member,
        member of the board, general counsel, self employed, businessman, businesswoman, secretary general,
        verkställande direktör, vd, koncernchef, ägare, delägare, medägare, grundare, medgrundare, egenföretagare,
        företagare, ordförande, styrelseordförande, styrelseledamot, styrelsemedlem, generalsekreterare,
        generaldirektör, koncernvd, geschäftsführer, geschäftsführung, geschäftsleitung, geschäftsleiter, gf, inhaber,
        gründer, mitgründer, gesellschafter, mitinhaber, eigentümer, vorstand, vorstandsvorsitzender,
        vorstandsvorsitzende, vorstandsmitglied, präsident, unternehmer, selbstständig, selbständig, aufsichtsrat,
        firmeninhaber, alleininhaber, generaldirektor, diretor geral, diretor executivo, diretor presidente,
        presidente, sócio, sócia, sócio administrador, fundador, cofundador, proprietário, dono, dona, empresário,
        empreendedor, conselheiro, administrador delegado, diretor superintendente, daglig leder,
        administrerende direktør, adm direktør, adm dir, admin direktør, konsernsjef, eier, medeier, grunnlegger,
        styreleder, styremedlem, toppsjef, innehaver, 总经理, 总裁, 董事长, 首席执行官, 首席财务官, 首席技术官,
        首席运营官, 首席信息官, 首席营销官, 首席市场官, 首席信息安全官, 首席人力资源官, 首席产品官, 首席数据官,
        创始人, 联合创始人, 合伙人, 老板, 所有者, 董事, 监事, 法人, 法人代表, 行政总裁, 执行总裁, 企业主, 总负责人,
        个体户
    """,
}

# Whoever assists, whatever the rank of the one assisted.
ASSISTS: Final = """
    intern, internship, trainee, apprentice, executive assistant, personal assistant, pa to, ea to,
    administrative assistant, secretary, aide, virtual assistant, working student, assistent, praktikant, lärling,
    sekreterare, aspirant, assistenz, sekretär, sekretariat, azubi, auszubildender, auszubildende, werkstudent,
    volontär, hilfskraft, praktikum, aushilfe, assistente, auxiliar, estagiário, estágio, aprendiz, secretário,
    secretária, secretaria, ajudante, sekretær, lærling, hospitant, sommervikar, 实习生, 秘书, 学徒, 实习, 见习
"""
# Before a higher rank a deputy of it ("assistant director"), else one who assists ("sales assistant", "总经理助理").
ASSISTANT: Final = "assistant, asst, 助理"
DEPUTY: Final = """
    deputy, vice, associate, junior, jr, sub, biträdande, stellvertretender, stellvertretende, stellvertretend, stv,
    stellv, vize, adjunto, subgerente, subdiretor, assisterende, vise, ass, 副
"""
# What follows these is somebody else's title or the employer.
ENDS: Final = "to, at, reporting, till, til, bei, hos, på, na, @"
PAST: Final = """
    former, formerly, ex, retired, previous, previously, unemployed, fd, tidigare, pensionär, pensionerad, arbetslös,
    ehemaliger, ehemalige, ehemals, rentner, arbeitslos, im ruhestand, aposentado, desempregado, antigo, tidligere,
    pensjonist, 前任, 退休
"""
LINKS: Final = "of, for, der, des, de, do, da, för, av, für"
BREAKS: Final = "and, och, samt, und, sowie, og, e, y, et, 和, 兼, 与, 及, 暨"
# Ends of compounds that make a person of any area.
HEADS: Final = """
    ekonom, förvaltare, säljare, verkäufer, selger, lärare, lehrer, lærer, läkare, sköterska, arzt, anwalt, advokat,
    verwalter, chef, direktör, ledare, ansvarig, assistent, konsult, koordinator, samordnare, specialist, strateg,
    rådgivare, handläggare, medarbetare, ingenjör, tekniker, utvecklare, arkitekt, analytiker, inspektör, leiter,
    leitung, direktor, assistenz, berater, referent, sachbearbeiter, mitarbeiter, spezialist, ingenieur, techniker,
    entwickler, beauftragter, vorstand, geschäftsführer, praktikant, kaufmann, kauffrau, meister, manager, fachkraft,
    sjef, direktør, leder, ansvarlig, rådgiver, konsulent, medarbeider, ingeniør, utvikler, spesialist, sekretær,
    sekreterare, sekretär, controller, jurist
"""
