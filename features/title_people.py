"""The words of job titles that name a person of a function: whoever is one has at least rank 1 (see
`title_words`)."""

from typing import Final

PEOPLE: Final = {
    "sales": """
        salesperson, salesman, saleswoman, seller, sales rep, merchandiser, shop assistant, cashier, broker, realtor,
        dealer, säljare, säljerska, innesäljare, utesäljare, mäklare, butikssäljare, butiksbiträde, expedit,
        verkäufer, außendienstmitarbeiter, handelsvertreter, makler, kundenberater, bankberater, vendedor,
        promotor de vendas, corretor, selger, megler, butikkmedarbeider, 业务员, 营业员, 销售员, 销售代表, 置业顾问
    """,
    "marketing": """
        marketer, copywriter, marketeer, communicator, editor in chief, publicist, editor, content creator,
        graphic designer, journalist, photographer, influencer, marknadsförare, kommunikatör, informatör, redaktör,
        grafiker, chefredaktör, intern kommunikatör, redakteur, pressesprecher, chefredakteur, mediengestalter,
        publicitário, redator, jornalista, designer gráfico, markedsfører, kommunikasjonsrådgiver, redaktør,
        sjefredaktør, 编辑, 记者, 文案, 主编, 总编, 平面设计师
    """,
    "it": """
        sysadmin, system administrator, systems administrator, network administrator, database administrator, dba,
        data scientist, data analyst, it administrator, webmaster, it konsult, systemadministratör, nätverkstekniker,
        systemadministrator, fachinformatiker, informatiker, administrador de sistemas, administrador de redes, 网管,
        系统管理员, 数据分析师
    """,
    "engineering": """
        engineer, eng, developer, programmer, technician, architect, mechanic, electrician, designer, data engineer,
        coder, tester, surveyor, carpenter, plumber, scrum master, welder, machinist, toolmaker, staff engineer,
        staff software engineer, software architect, enterprise architect, solution architect, ingenjör, utvecklare,
        programmerare, tekniker, konstruktör, systemutvecklare, mjukvaruutvecklare, systemarkitekt, systemutvikler,
        elektriker, mekaniker, arkitekt, snickare, montör, byggmästare, testare, civilingenjör, svetsare, ingenieur,
        entwickler, programmierer, techniker, konstrukteur, mechaniker, mechatroniker, architekt, tischler, schlosser,
        schreiner, monteur, bauleiter, engenheiro, desenvolvedor, programador, técnico, arquiteto, eletricista,
        mecânico, projetista, encanador, ingeniør, utvikler, programmerer, snekker, rørlegger, sivilingeniør,
        sjefingeniør, montør, tømrer, 工程师, 程序员, 架构师, 设计师, 技术员, 助理工程师, 建筑师, 首席工程师, 技工
    """,
    "operations": """
        receptionist, administrator, admin, office clerk, storekeeper, dispatcher, operator, secretary, caretaker,
        janitor, machine operator, blue collar, administratör, sekreterare, operatör, vaktmästare, lagerarbetare,
        logistiker, sekretär, sekretariat, bürokauffrau, bürokaufmann, industriekaufmann, industriekauffrau, lagerist,
        disponent, hausmeister, empfangsmitarbeiter, verwaltungsangestellte, verwaltungsangestellter, secretário,
        secretária, recepcionista, operador, almoxarife, conferente, zelador, sekretær, resepsjonist, vaktmester,
        lagermedarbeider, operatør, 文员, 前台, 秘书, 操作工, 工人
    """,
    "finance": """
        accountant, controller, bookkeeper, auditor, treasurer, banker, trader, economist, actuary, underwriter,
        financial controller, business controller, payroll clerk, tax advisor, financial advisor, ekonom, revisor,
        redovisningskonsult, bokförare, löneadministratör, intern revisor, lönespecialist, buchhalter, steuerberater,
        wirtschaftsprüfer, controllerin, bankkaufmann, bankkauffrau, finanzbuchhalter, contador, contabilista,
        tesoureiro, economista, bancário, regnskapsfører, økonom, siviløkonom, sjefsøkonom, 会计师, 审计师, 出纳员,
        出纳, 会计
    """,
    "hr": """
        recruiter, headhunter, trainer, hr generalist, rekryterare, personalvetare, personaler, personalreferent,
        recruiterin, personalsachbearbeiter, rekrutterer, recrutador, 招聘专员
    """,
    "purchasing": """
        buyer, purchaser, procurement officer, inköpare, upphandlare, einkäufer, comprador, innkjøper, 采购员
    """,
    "legal": """
        lawyer, attorney, counsel, paralegal, solicitor, barrister, notary, legal counsel, judge, jurist, advokat,
        bolagsjurist, notarie, rechtsanwalt, anwalt, syndikus, notar, justiziar, advogado, jurista,
        promotor de justiça, juiz, advokatfullmektig, 律师, 法律顾问, 法官
    """,
    "research": """
        scientist, researcher, postdoc, phd student, chemist, biologist, physicist, statistician, forskare, doktorand,
        kemist, biolog, forscher, wissenschaftler, chemiker, biologe, laborant, doktorandin, pesquisador, cientista,
        químico, forsker, stipendiat, kjemiker, 研究员, 科学家, 博士后, 化学家
    """,
    "support": """
        support agent, servicetekniker, kundtjänstmedarbetare, kundenbetreuer, kundebehandler, atendente, 客服专员,
        客服代表
    """,
    "education": """
        teacher, professor, lecturer, tutor, assistant professor, associate professor, instructor, educator, coach,
        teaching assistant, lärare, lektor, universitetslektor, docent, förskollärare, barnskötare, speciallärare,
        pedagog, studievägledare, lehrer, dozent, erzieher, erzieherin, pädagoge, studienrat, hochschullehrer,
        instrutor, pedagogo, lærer, førskolelærer, barnehagelærer, adjunkt, 教师, 老师, 教授, 副教授, 讲师, 教员
    """,
    "other": """
        doctor, physician, surgeon, nurse, head nurse, pharmacist, dentist, therapist, psychologist, veterinarian,
        driver, farmer, artist, musician, actor, cook, baker, waiter, housemaid, housewife, cleaner, pilot, guard,
        priest, hairdresser, soldier, firefighter, social worker, läkare, sjuksköterska, sköterska, undersköterska,
        tandläkare, apotekare, psykolog, chaufför, bonde, lantbrukare, kock, konstnär, städare, präst, frisör,
        socialsekreterare, polis, brandman, arzt, ärztin, oberarzt, chefarzt, assistenzarzt, krankenschwester,
        krankenpfleger, pfleger, apotheker, zahnarzt, psychologe, fahrer, landwirt, koch, köchin, künstler, pfarrer,
        friseur, polizist, kellner, médico, médica, enfermeiro, enfermeira, farmacêutico, dentista, psicólogo,
        motorista, agricultor, cozinheiro, artista, pintor, assistente social, policial, lege, overlege, sykepleier,
        helsefagarbeider, tannlege, sjåfør, kokk, kunstner, prest, renholder, politibetjent, 医生, 护士, 医师, 药师,
        司机, 厨师, 农民, 演员, 主治医师
    """,
}
