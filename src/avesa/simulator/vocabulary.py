"""The words that simulated records are made of, chosen to be as awkward as real ones: accents, marks that do not show,
statuses that begin with an arrow, backslashes and e-mail headers in notes.
"""
# ruff: noqa: RUF001 - look-alike and invisible characters are the point

from __future__ import annotations

FIRST_NAMES = (
    "Ada", "Björn", "Chloé", "Dmitri", "Élodie", "Farah", "Grzegorz", "Hana", "İpek", "José", "Katarzyna",
    "Łukasz", "Mairéad", "Nguyễn", "Oluwaseun", "Priya", "Quentin", "Ragnheiður", "Søren", "Tomáš", "Uma", "Víctor",
    "Wei", "Xóchitl", "Yūki", "Zoë", "Ana María", "O'Shea", "Mary-Jane", "李",
)  # fmt: skip
LAST_NAMES = (
    "Ångström", "Brontë", "Çelik", "D'Angelo", "Eriksdóttir", "Fernández", "Gößling", "Hårfagre", "Ivanov", "Jørgensen",
    "Kowalski", "L'Œuvre", "McAllister", "Núñez", "O'Connor", "Pérez", "Quispe", "Řezník", "Smith", "Tanaka", "Ueda",
    "van der Berg", "Wójcik", "Xu", "Yılmaz", "Żak", "de la Cruz", "Smith-Jones", "王", "Ben\u00a0Ari",
)  # fmt: skip
COMPANY_STEMS = (
    "Alder", "Blue Harbour", "Café Central", "Delta", "Éclair", "Fjord", "Granite", "Høyden", "Ironwood", "Juniper",
    "Kestrel", "Łódź Steel", "Meridian", "Northwind & Sons", "Ölmühle", "Pine Street", "Quarry", "Río Grande",
    "São Bento", "Tern", "Umbra", "Vörður", "Westgate", "Xenia", "Yarrow", "Zürich Optik", 'The "Corner" Shop',
    "Back\\Slash Media",
    "Zero\u200bWidth Labs", "No\u00a0Break Foods",
)  # fmt: skip
COMPANY_KINDS = (
    "Ltd",
    "GmbH",
    "Inc.",
    "LLC",
    "S.A.",
    "Dental",
    "Law",
    "Logistics",
    "ehf.",
    "Clinic",
    "& Co",
    "Schools",
)
# town, state, zip, country's index
TOWNS = (
    ("Tampa", "FL", "33602-5719", 0), ("Boise", "ID", "83702", 0), ("Saint-Étienne", "", "42000", 1),
    ("Göttingen", "", "37073", 2), ("Reykjavík", "", "101", 3), ("Leeds", "West Yorkshire", "LS1 4DY", 4),
    ("Montréal", "QC", "H2Y 1C6", 5), ("Łódź", "", "90-001", 6), ("São Paulo", "SP", "01310-100", 7),
    ("Ōsaka", "", "530-0001", 8), ("Geelong", "VIC", "3220", 9), ("Cork", "", "T12 W8KP", 10),
)  # fmt: skip
COUNTRIES = (
    "United States", "France", "Germany", "Iceland", "United Kingdom", "Canada", "Poland", "Brazil", "Japan",
    "Australia", "Ireland",
)  # fmt: skip
# symbol, code, name: the króna has no decimals
CURRENCIES = (("$", "USD", "US Dollars"), ("€", "EUR", "Euro"), ("kr", "ISK", "Íslensk króna"), ("£", "GBP", "Pounds"))
STREETS = ("Harbour Street", "Rue de l'Église", "Hauptstraße", "Laugavegur", "King's Road", "Calle Ñuñoa", "Avenida 9")
PHONES = ("8135550134", "+44 113 496 0{n:03d}", "(208) 555-0{n:03d}", "+354 555 {n:04d}", "01{n:08d}", "")
BOARDS = ("Service Desk", "Projects & Moves", "Alerts", "Netzwerk", "Field Visits", "Security ⚠")
# name, whether the board counts a ticket in it as closed: a status may be called Closed and not be so
STATUSES = (
    ("New", False), (">Waiting Customer", False), (">Scheduled", False), ("In Progress", False), ("Escalated", False),
    (">Closed", True), ("Completed", False), ("Closed", True),
)  # fmt: skip
TYPES = ("Incident", "Request", "Problem", "Change", "Maintenance")
SUBTYPES = ("Workstation", "Server", "Network", "E-mail", "Printer")
ITEMS = ("Slow", "Not reachable", "Password", "Install", "Licence")
TEAMS = ("Tier 1", "Tier 2", "Field", "Projects")
PRIORITIES = ("Priority 1 - Critical", "Priority 2 - High", "Priority 3 - Normal", "Priority 4 - Low", "Do Not Respond")
SOURCES = ("Email Connector", "Phone", "Portal", "Walk-in", "Monitoring")
SLAS = ("Standard SLA", "Gold", "Best effort")
LOCATIONS = ("Main Office", "North", "Télétravail")
DEPARTMENTS = ("Professional Services", "Managed Services", "Admin")
WORK_TYPES = ("Regular", "Remote", "On-Site", "After Hours", "Travel", "Zzz Old (Inactive)")
WORK_ROLES = ("Engineer", "Technician", "Consultant", "Project Manager")
MARKETS = ("Healthcare", "Legal", "Manufacturing", "Éducation", "Retail")
COMPANY_TYPES = ("Client", "Prospect", "Vendor", "Partner", "Former Client")
COMPANY_STATUSES = ("Active", "Inactive", "Imported", "Credit Hold")
TERMS = ("Net 30 days", "Due on receipt", "Net 15")
OWNERSHIPS = ("Private", "Public", "Non-profit")
TIME_ZONES = ("US Eastern", "GMT/UTC", "Central European")
CONTACT_TYPES = ("Primary", "Approver", "Billing", "VIP ⭐", "Former")
TITLES = ("Office Manager", "CEO", "Zahnärztin", "Jefe de TI", "Partner", "Reception")
RELATIONSHIPS = ("Owner", "Employee", "Contractor")
SUMMARIES = (
    "Cannot log in to VPN", "Printer 'Étage 2' offline", "Disk C:\\ is 97% full", "New starter: set up laptop 💻",
    "RE: RE: Fwd: invoice question", "[ALERT] Backup failed on SRV-01\\share", "Outlook keeps asking for password",
    'User says "it is slow"', "Überwachung: Dienst gestoppt", "Wi-Fi drops 📶 in meeting room",
    "Scanner → e-mail fails",
    "Request:\u00a0second monitor", "  leading blanks kept  ", "Licence renewal 100% & more", "Reset MFA\u200b for CFO",
)  # fmt: skip
SENTENCES = (
    "Called the user and confirmed that the problem appears after every restart.",
    "Der Benutzer berichtet, dass der Fehler seit gestern auftritt.",
    "Checked \\\\SRV-01\\profiles\\%USERNAME% and found the quota exceeded.",
    "Voir la capture d'écran jointe; le service redémarre seul.",
    "Ran `sfc /scannow`; result clean. Next step: replace the drive if S.M.A.R.T. reports more errors.",
    "Thanks a lot! 🙏 It works now, please close.",
    "Waiting for the carrier; reference #A-1047/B, promised until Friday 17:00.",
    "**Steps:** 1) open settings 2) remove the profile 3) sign in again.",
    "The firewall rule was missing after the update from 7.2 to 7.4, added it again and tested from both sites.",
    "Usuario sin conexión: se reinició el conmutador del piso 3.",
)
HTML_OPENINGS = (
    '<div class="note"><p>', "<html><body><p style=\"font-family:'Segoe UI'\">", "<p>",
    "From: Help &lt;help@msp.example&gt;<br>Sent: Monday 08:15<br>Subject: RE: ticket<br><br><p>",
)  # fmt: skip
LINK = '<a href="https://links.example/?url=https%3A%2F%2Fportal.example%2Ft%3Fid%3D{n}&amp;data=5%7C{n:x}">here</a>'
CUSTOM_CAPTIONS = ("Asset Tag", "Renewal Date", "Approved?", "Rack Units", "Distance km")
