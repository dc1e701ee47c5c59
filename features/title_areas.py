"""The words of job titles that name a department, and hints that count where nothing better does (see
`title_words`)."""

from typing import Final

AREAS: Final = {
    "executive": """
        ceo, chief executive, chief executive officer, managing director, md, president, founder, cofounder,
        co founder, owner, co owner, business owner, proprietor, entrepreneur, managing partner, chairman, chairwoman,
        chairperson, board member, member of the board, chief of staff, general manager, gm, executive director,
        general management, self employed, businessman, businesswoman, secretary general, verkställande direktör, vd,
        vice vd, vice verkställande direktör, koncernchef, koncernvd, ägare, delägare, medägare, grundare,
        medgrundare, egenföretagare, företagare, ordförande, styrelseordförande, styrelseledamot, generalsekreterare,
        generaldirektör, koncernledning, geschäftsführer, geschäftsführung, geschäftsleitung, geschäftsleiter, gf,
        inhaber, gründer, mitgründer, gesellschafter, mitinhaber, eigentümer, vorstand, vorstandsvorsitzender,
        vorstandsvorsitzende, vorstandsmitglied, präsident, unternehmer, selbstständig, selbständig, aufsichtsrat,
        firmeninhaber, alleininhaber, generaldirektor, prokurist, diretor geral, diretor executivo,
        diretor presidente, presidente, sócio, sócia, sócio administrador, fundador, cofundador, proprietário, dono,
        dona, empresário, empreendedor, conselheiro, diretoria, gerente geral, administrador delegado,
        diretor superintendente, daglig leder, administrerende direktør, viseadministrerende direktør, adm direktør,
        adm dir, admin direktør, konsernsjef, eier, medeier, grunnlegger, styreleder, styremedlem, toppsjef,
        innehaver, 总经理, 总裁, 董事长, 首席执行官, 创始人, 联合创始人, 合伙人, 老板, 董事, 监事, 法人, 法人代表,
        行政总裁, 执行总裁, 企业主, 执行董事, 常务副总, 常务副总经理, 副总经理, 个体户, 总经办,
        stellvertretender vorstand, mitglied der erweiterten geschäftsleitung
    """,
    "sales": """
        sales, selling, business development, bd, bdm, bdr, sdr, commercial, key account, key accounts,
        account manager, account executive, account director, key account manager, kam, ae, cro, cco, revenue,
        presales, pre sales, partner manager, channel, partnerships, retail, store, export,
        business development executive, business development manager, sales executive, business sales,
        chief revenue officer, chief commercial officer, försäljning, sälj, affärsutveckling, kommersiell, nyckelkund,
        nyckelkundsansvarig, butik, innesälj, utesälj, vertrieb, verkauf, absatz, außendienst, innendienst,
        geschäftsentwicklung, großkunden, filiale, filialleiter, marktleiter, filialleitung, vertriebs, vendas, venda,
        comercial, novos negócios, desenvolvimento de negócios, contas chave, loja, exportação,
        representante comercial, executivo de contas, executivo de vendas, executivo comercial, gerente de contas,
        gestor de contas, pré vendas, receita, salg, salgs, forretningsutvikling, storkunde, storkundeansvarlig,
        butikk, eksport, 销售, 业务, 商务, 营收, 客户经理, 大客户, 大客户经理, 渠道, 门店, 外贸, 业务拓展, 店长
    """,
    "marketing": """
        marketing, mktg, digital marketing, marketing executive, brand, brand manager, branding, communications,
        communication, pr, public relations, content, social media, social media manager, community manager,
        community, seo, sem, ecommerce, e commerce, demand generation, demand gen, lead generation, growth, campaign,
        advertising, media, creative, creative director, art director, editorial, cmo, product marketing,
        go to market, events, crm, press, marknad, marknadsföring, kommunikation, varumärke, reklam, webb, e handel,
        marknads, werbung, öffentlichkeitsarbeit, presse, unternehmenskommunikation, werbe, redaktion, marken,
        comunicação, publicidade, propaganda, marca, mídia, mídias sociais, diretor de arte, conteúdo, eventos,
        imprensa, marked, markedsføring, markeds, kommunikasjon, merkevare, reklame, nettbutikk, innhold, 市场, 营销,
        品牌, 公关, 推广, 广告, 传播, 电商, 新媒体, 首席营销官, 首席市场官, 策划, 媒体, 网络营销
    """,
    "it": """
        it, ict, system owner, service owner, data owner, platform owner, solution owner, information technology,
        information security, cyber security, cybersecurity, infosec, information systems, infrastructure, systems,
        network, cio, ciso, cdo, it executive, database, cloud, erp, chief information officer, chief digital officer,
        information, helpdesk, applications, bi, business intelligence, data, data science, artificial intelligence,
        machine learning, informationssäkerhet, cybersäkerhet, system, nätverk, digitalisering, informationsteknik,
        systemförvaltning, systemägare, edv, informationstechnik, informatik, netzwerk, informationssicherheit,
        digitalisierung, anwendung, dv, daten, wirtschaftsinformatik, ti, tecnologia da informação, sistemas, redes,
        segurança da informação, infraestrutura, dados, banco de dados, informática, ikt, nettverk,
        informasjonssikkerhet, systemeier, 信息, 信息技术, 信息化, 网络, 系统, 数据, 数据库, 信息安全, 首席信息官,
        首席信息安全官, 首席数据官, 运维
    """,
    "engineering": """
        engineering, software, technology, technical, tech, cto, chief technology officer, development, devops,
        mechanical, electrical, hardware, construction, design engineering, qa, quality assurance, tech lead,
        technical lead, web development, ux, ui, frontend, backend, full stack, embedded, automation, teknik, teknisk,
        teknisk ledare, mjukvara, mjukvaru, utveckling, konstruktion, bygg, elektro, maskin, el, programvaru,
        underhåll, systemutveckling, technik, technisch, technischer, technische, technisches, entwicklung,
        softwareentwicklung, bau, maschinenbau, instandhaltung, produktentwicklung, elektrotechnik, haustechnik,
        técnico, engenharia, desenvolvimento, tecnologia, obras, manutenção, construção, líder técnico, teknologi,
        utvikling, produktutvikling, programvare, bygge, vedlikehold, anlegg, system utvikling, systemutvikling, 技术,
        开发, 软件, 工程, 设计, 测试, 质量, 架构, 硬件, 首席技术官, 总工, 总工程师, 设备
    """,
    "operations": """
        operations, ops, coo, supply chain, logistics, logistic, warehouse, production, manufacturing, plant, factory,
        facilities, facility, office, office manager, administration, administrative, hse, ehs, health and safety,
        chief operating officer, process, transport, shipping, operations executive, lean, fleet, planning,
        executive assistant, personal assistant, drift, produktion, logistik, lager, kontor, fabrik, plats,
        verksamhet, kvalitet, miljö, fastighet, trafik, verksamhetschef, betrieb, fertigung, verwaltung, werk, büro,
        disposition, niederlassung, arbeitsvorbereitung, versand, fuhrpark, spedition, material, schicht,
        schichtleiter, operações, operacional, produção, logística, administrativo, administrativa, administração,
        fábrica, escritório, planejamento, transportes, industrial, cadeia de suprimentos, armazém, drifts,
        produksjon, logistikk, administrasjon, fabrikk, driftsleder, eiendom, 运营, 生产, 物流, 仓储, 仓库, 行政,
        供应链, 厂长, 首席运营官, 工厂, 办公室, 车间, 后勤
    """,
    "finance": """
        finance, financial, accounting, accounts payable, accounts receivable, treasury, tax, audit, internal audit,
        investment, investor relations, cfo, chief financial officer, credit, banking, m&a, payroll,
        finance executive, risk, billing, intern kontroll, insurance, ekonomi, finans, redovisning, bokföring, skatt,
        löne, lön, kredit, bank, revision, intern revision, internrevision, finanz, finanzen, buchhaltung,
        rechnungswesen, controlling, steuern, steuer, kaufmännischer, kfm, kaufm, kaufmännische, bilanz,
        interne revision, lohn, versicherung, finanças, financeiro, financeira, contabilidade, controladoria, fiscal,
        tesouraria, contas a pagar, contas a receber, investimentos, auditoria, cobrança, faturamento, crédito,
        økonomi, regnskap, regnskaps, revisjon, lønn, internrevisjon, forsikring, 财务, 会计, 审计, 金融, 投资, 税务,
        首席财务官, 总会计师, 融资, 风控, 资金
    """,
    "hr": """
        hr, human resources, human resource, people, people operations, talent, talent acquisition, recruiting,
        recruitment, personnel, chro, learning, training, l&d, compensation, hr business partner, people partner,
        talent partner, hr executive, recruitment executive, people and culture, organizational development,
        employer branding, personal, rekrytering, medarbetar, kompetensutveckling, arbetsmiljö, personalwesen,
        personalentwicklung, personalabteilung, rekrutierung, ausbildung, recursos humanos, rh, gente,
        departamento pessoal, recrutamento, treinamento, gestão de pessoas, talentos, rekruttering, personell,
        organisasjonsutvikling, menneskelige ressurser, 人力资源, 人事, 人才, 招聘, 人力, 首席人力资源官, 薪酬, hrbp,
        培训
    """,
    "purchasing": """
        purchasing, procurement, sourcing, buying, category manager, category management, vendor management, supplier,
        purchasing executive, inköp, upphandling, leverantörs, einkauf, beschaffung, einkaufs, compras, suprimentos,
        aquisições, innkjøp, innkjøps, anskaffelse, anskaffelser, leverandør, 采购, 供应商, 招标
    """,
    "legal": """
        legal, law, compliance, general counsel, patent, ip, contracts, contract, regulatory affairs, data protection,
        dpo, company secretary, privacy, juridik, rätts, avtal, dataskydd, chefsjurist, regelefterlevnad, recht,
        rechtsabteilung, datenschutz, vertrags, jurídico, jurídica, direito, conformidade, contratos, juridisk,
        personvern, kontrakt, sjefsjurist, 法务, 法律, 合规, 知识产权, 风险合规
    """,
    "research": """
        research, r&d, rd, research and development, science, scientific, clinical, laboratory, lab, innovation, phd,
        forskning, fou, forskning och utveckling, laboratorie, laboratorium, forschung, f&e,
        forschung und entwicklung, labor, wissenschaft, wissenschaftlicher, wissenschaftliche, pesquisa, p&d,
        pesquisa e desenvolvimento, inovação, laboratório, investigação, forskning og utvikling, innovasjon, 研发,
        研究, 科研, 实验室, 创新
    """,
    "support": """
        support, technical support, it support, customer success, customer success manager, csm, customer service,
        customer care, customer support, customer experience, service, service desk, client services, client success,
        customer service executive, call center, customer, aftersales, after sales, kundtjänst, kundservice, kund,
        teknisk support, kundsupport, eftermarknad, kundendienst, kundenservice, kundenbetreuung, kunden,
        technischer support, suporte, suporte técnico, atendimento, atendimento ao cliente, sac, sucesso do cliente,
        pós venda, cliente, clientes, kundeservice, kunde, kundesenter, brukerstøtte, kundebehandling, 客服, 客户服务,
        售后, 客户成功, 技术支持, 服务
    """,
    "education": """
        education, school, teaching, academic, university, faculty, student services, student affairs,
        student success, school principal, headmaster, head teacher, headteacher, dean, curriculum, skola, skol,
        utbildning, universitet, förskole, förskola, rektor, prefekt, gymnasie, schule, schul, bildung, universität,
        hochschul, schulleiter, kita, ensino, educação, pedagógico, pedagógica, escola, acadêmico, universidade,
        reitor, skole, utdanning, barnehage, undervisning, dekan, 教育, 教学, 学校, 校长, 教务, 院长, 大学
    """,
    "other": """
        medical, nursing, hospital, security guard, kitchen, farm, agriculture, church, head chef, executive chef,
        sous chef, pastry chef, social work, public health, chief physician, police, military, vård, vårdcentral,
        sjukhus, kök, jordbruk, polis, omsorg, medizin, pflege, klinik, küche, landwirtschaft, ärztlicher, ärztliche,
        polizei, saúde, enfermagem, cozinha, agricultura, polícia, helse, sykehus, sykehjem, kjøkken, landbruk,
        politi, 医疗, 医院, 护理, 农业, 警察
    """,
}
HINTS: Final = {
    "executive": "strategy, strategic, corporate, strategi, estratégia, strategie, 战略, ledning",
    "sales": "account, accounts, business partner, regional, konto, distrikt, 客户, 区域",
    "marketing": "design, web, online, 策展",
    "it": "digital, digitalt, security, intelligence, 数字化, 数字",
    "engineering": """
        product, produkt, produto, 产品, product owner, product manager, produktägare, produkteier, 首席产品官,
        gerente de produto, 产品负责人, solution, solutions
    """,
    "operations": """
        project, program, programme, quality, safety, projekt, projektleiter, projektleitung, prosjekt, projeto,
        projetos, qualidade, qualität, kvalitet, 项目, project manager, pm, process owner, processägare, prosesseier,
        assistant, assistent, assistenz, assistente, auxiliar, 助理, pmo
    """,
}
