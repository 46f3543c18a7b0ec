"""The 24 topics of the pocket world and their words.

A document has one topic. Its topic sentences come from frames such as "the old guard carried the shield through
the gate .", where every content slot draws a word from the topic's list for that class: WHO (persons), THING,
PLACE, VERB (past tense, transitive: "the WHO VERB the THING") and ADJ. The order of a list is its typicality, most
frequent first; a word's weight in a topic is made from its place in the list.

A topic is a factor of the context, not of a token: every word belongs to at least 4 topics and at most 10 and no
word has two classes, so one word hardly tells the topic and two or three different words together nearly do. Where
English has a word with several senses it is used for that: a pitch is thrown, played on, sung and climbed.

Topics form six families. In each, three topics have a name, and a fourth, under the parent's own name, has none
besides: there the parent is true and none of its named children is. Its words are mostly those of its siblings.
"""

from typing import NamedTuple


class Topic(NamedTuple):
    """One topic: its parent, and its words by class, separated by spaces, most typical first.

    `parent` equals the topic's own name for the general topic of a family. Sizes: 9 `who`, 16 `thing`, 8 `place`,
    12 `verb`, 7 `adj`.
    """

    parent: str
    who: str
    thing: str
    place: str
    verb: str
    adj: str


TOPICS: dict[str, Topic] = {
    "american football": Topic(
        parent="sport",
        who="player captain guard runner owner coach fan scout giant",
        thing="ball helmet score flag whistle tackle draft play star coin ring ticket goal pack cup horse",
        place="yard field bench camp hall park gate corner",
        verb="caught blocked kicked signed passed threw carried won dropped played fired pulled",
        adj="new strong heavy quick famous foreign wild",
    ),
    "soccer": Topic(
        parent="sport",
        who="keeper owner captain fan player scout boss coach runner",
        thing="goal whistle match score bar tackle ticket pitch ball star club net glove box boot flag",
        place="field corner wall park bench yard hill camp",
        verb="kicked passed marked won defended blocked saved signed caught fired played struck",
        adj="quick famous local young foreign tired free",
    ),
    "baseball": Topic(
        parent="sport",
        who="player giant coach runner scout owner fan boss captain",
        thing="bat pitch plate record ball ticket helmet glove club score star box battery play cup gun",
        place="park bench field base camp hill office wall",
        verb="struck stole threw caught signed dropped won broke loaded played counted tied",
        adj="quick small wild famous free new local",
    ),
    "sport": Topic(
        parent="sport",
        who="runner player keeper fan captain coach owner judge partner",
        thing="bat club whistle ball cup match score record goal net ticket ring gold seed tackle helmet",
        place="field court bench pool park corner gate base",
        verb="threw played won kicked tied caught broke lost served held defended guarded",
        adj="quick famous strong young brave local tired",
    ),
    "castle": Topic(
        parent="story",
        who="knight guard lord queen king soldier porter priest master",
        thing="sword horse key shield crown bell seal horn bread cell ring chest flag gold ball helmet",
        place="hall gate wall tower court church bridge temple",
        verb="defended served held hid guarded followed ruled drew broke raised burned blocked",
        adj="old royal rich brave dark heavy private",
    ),
    "war": Topic(
        parent="story",
        who="captain soldier scout guard knight king priest leader sailor",
        thing="shield gun shell map boot helmet battery drum blood horse flag sword horn body knife letter",
        place="bridge port camp base hill gate field tower",
        verb="lost fired won defended burned struck carried blocked loaded dropped guarded buried",
        adj="brave foreign private heavy tired sharp strong",
    ),
    "fantasy": Topic(
        parent="story",
        who="king hunter giant queen knight priest lord scout guide",
        thing="crown ring map bow chest star shield sword key gold coin bat axe club horse blood",
        place="forest temple tower gate chamber bridge river hall",
        verb="guarded hid found ruled stole saved struck drew followed burned buried served",
        adj="brave wild dark royal strong pale free",
    ),
    "story": Topic(
        parent="story",
        who="queen king knight giant sailor priest lord soldier hunter",
        thing="letter book sword horse play crown ring cast heart star key gold shield coin bow chest",
        place="theater tower house stage court temple hall forest",
        verb="followed hid ruled won stole found wrote carried buried lost saved read",
        adj="old royal brave famous quiet poor rich",
    ),
    "illness": Topic(
        parent="body",
        who="nurse patient doctor child porter soldier priest clerk student",
        thing="organ cast record heart cell chart bone blood chest test body needle glove knife skin bottle",
        place="office theater bed bank station house table church",
        verb="caught saved checked broke tested drew held cut carried studied fed paid",
        adj="cold pale tired private poor sharp warm",
    ),
    "death": Topic(
        parent="body",
        who="priest soldier doctor patient keeper lord judge king nurse",
        thing="body record blood heart box letter bone nail bell organ note ring gun sword cast seal",
        place="church house gate chamber bed yard temple office",
        verb="carried buried read lost signed wrote marked followed found held burned hid",
        adj="old pale quiet poor dark cold private",
    ),
    "food": Topic(
        parent="body",
        who="farmer cook judge owner child hunter buyer sailor nurse",
        thing="bread plate bar bottle knife fish cup box seed skin scale board shell bone heart tax",
        place="table market kitchen shop bank church station port",
        verb="cut served bought fed burned measured passed dropped stole tested caught sold",
        adj="warm local rich sharp cold small pale",
    ),
    "body": Topic(
        parent="body",
        who="runner child nurse doctor patient teacher cook coach soldier",
        thing="bone chest skin nail cell trunk scale organ heart blood body crown cast test chart drum",
        place="bed chamber temple bank pool wall bridge table",
        verb="held cut pulled broke drew blocked kicked fed studied tested lost measured",
        adj="heavy strong tired warm young old pale",
    ),
    "spending": Topic(
        parent="money",
        who="clerk child buyer porter owner partner boss farmer guard",
        thing="ring ticket box tax bread trunk coin fish battery cup scale bottle note book boot pitch",
        place="market bank shop station corner house office park",
        verb="sold checked saved counted paid lost bought loaded signed stole dropped found",
        adj="new free local rich poor foreign small",
    ),
    "work": Topic(
        parent="money",
        who="partner boss worker clerk leader owner farmer porter cook",
        thing="paper key board nail tax box battery plate note record glove draft goal letter axe pen",
        place="office station shop yard port market kitchen bank",
        verb="loaded paid signed fired served checked carried measured sold wrote cut tested",
        adj="tired private strong new local poor quick",
    ),
    "government": Topic(
        parent="money",
        who="leader judge boss guard clerk king lord soldier queen",
        thing="flag tax record draft seal pen paper note ticket crown letter test board gun cell shield",
        place="hall house court office chamber hill bench bank",
        verb="signed served ruled blocked raised passed wrote paid read defended cut guarded",
        adj="free royal local foreign old new rich",
    ),
    "money": Topic(
        parent="money",
        who="owner clerk guard boss buyer partner farmer lord worker",
        thing="coin gold note bar book tax chart seed chest club draft crown key paper goal seal",
        place="bank office table market court port station pool",
        verb="counted lost bought raised signed paid saved drew guarded sold stole checked",
        adj="foreign private rich poor free new royal",
    ),
    "climbing": Topic(
        parent="outdoors",
        who="guide porter runner partner leader scout giant captain hunter",
        thing="rope pack boot axe pitch map helmet flag bar knife glove gun bread bat battery match",
        place="camp base hill wall station forest bridge river",
        verb="held dropped pulled marked checked carried tied tested found lost raised measured",
        adj="cold strong brave heavy famous tired sharp",
    ),
    "farm": Topic(
        parent="outdoors",
        who="keeper farmer owner buyer worker cook lord hunter child",
        thing="seed horse rope pen axe horn bread boot glove skin nail bell trunk net fish pack",
        place="field yard market river house bed hill kitchen",
        verb="raised sold tied loaded counted fed pulled kicked bought carried cut marked",
        adj="poor old tired heavy small local warm",
    ),
    "sea": Topic(
        parent="outdoors",
        who="sailor captain cook master keeper worker guide doctor guard",
        thing="fish net chart board flag star tackle bell horn bow shell seal rope bottle map chest",
        place="port bridge tower pool yard river bed kitchen",
        verb="caught tied dropped raised pulled threw loaded found ruled fired hid lost",
        adj="wild cold dark brave old foreign royal",
    ),
    "outdoors": Topic(
        parent="outdoors",
        who="scout guide hunter farmer sailor leader runner porter keeper",
        thing="knife bow fish map rope match trunk axe tackle pack seed needle skin shell bat net",
        place="hill camp forest river pool park field bridge",
        verb="carried found followed caught tied burned threw buried marked fed pulled fired",
        adj="warm quiet wild cold strong dark small",
    ),
    "music": Topic(
        parent="craft",
        who="fan player master teacher student leader judge queen knight",
        thing="drum key scale bell star score organ bow pitch horn ticket note record needle bar whistle",
        place="stage hall bridge chamber theater church shop tower",
        verb="played wrote read counted signed struck sold studied bought held followed served",
        adj="sharp quiet famous young heavy local warm",
    ),
    "science": Topic(
        parent="craft",
        who="doctor partner student teacher worker patient leader guide keeper",
        thing="cell star bottle test battery book plate paper chart scale organ body match bone shell needle",
        place="station base bench chamber field table stage forest",
        verb="studied found tested measured burned marked read wrote counted drew defended checked",
        adj="small new cold famous sharp free quiet",
    ),
    "school": Topic(
        parent="craft",
        who="teacher student child coach partner nurse master runner doctor",
        thing="note test bell paper draft board letter score pen trunk pack book play rope drum whistle",
        place="hall yard stage corner gate office theater bench",
        verb="tested studied wrote marked drew passed read defended won kicked played threw",
        adj="new young small tired quiet quick old",
    ),
    "craft": Topic(
        parent="craft",
        who="master worker teacher student partner judge cook buyer guide",
        thing="nail knife box needle cast drum paper play battery book board skin plate gold draft pen",
        place="shop bench table market stage theater wall kitchen",
        verb="fired broke measured drew cut tied marked studied sold struck dropped wrote",
        adj="sharp famous new small quiet private dark",
    ),
}
