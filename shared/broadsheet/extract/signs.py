"""What names of classes, ids and tags give away, as data: where a body is kept and what is never part of one."""

import re

# Names that content systems give to the box of the body; a whole class, id or itemprop, lower-case.
_BODY_NAMES = """
articlebody article-body article__body article_body article-content article__content article_content articlecontent
article-text article__text article_text articletext article-detail entry-content entry__content post-content
post__content post-body post__body post_content story-body story__body story-content story__content storybody
storycontent story-text news-content news-body news-text newscontent news_content content-body content__body
body-content body-copy bodycopy blog-content blog-post-content main-content-body article-main article-page__content
richtext rich-text rte wysiwyg single-content td-post-content c-article-body c-entry-content field--name-body
node-body text-content articlebodycontent article-body-content page-content-article artikel-body artikel__body
artikeltext paragraph-list arti_content artical-content artibody art_content article-con content_area cont_text
detail-content main_content post_body_content endtext zwcontent rich_media_content js_content newsdetail tex_content
article_txt txt_con p_content textbody zoom articlecontentbody detailcontent content-article newstext text_con
"""
# Those of them that other texts are kept in too.
_TEXT_NAMES = "richtext rich-text rte wysiwyg content-body text-content body-content body-copy bodycopy"
# Words in class, id or role that mark what surrounds an article; single words, as split at -, _ and capitals.
_DISCARD_WORDS = """
related share sharing social socials comment comments disqus sidebar newsletter subscribe subscription signup promo
promotion advert advertisement ads ad adv sponsored sponsor outbrain taboola recommended recommendations
recommendation recommend breadcrumb breadcrumbs pagination pager navigation nav navbar menu footer masthead popup
modal byline author authors bio dateline timestamp tags taglist keywords copyright disclaimer credit credits caption
mostread popular trending teaser teasers readmore seealso upsell donate login register print toolbar followus
ratings screenreader crosspromo interstitial infobox factbox faktenbox disclosure affiliate cta button tooltip
player meta shengming statement relread tuijian xiangguan daohang
"""
# The same for what asks for consent, which may be longer than the story.
_CONSENT_WORDS = "cookie cookies consent gdpr"
# Words that mark the standfirst.
_LEAD_WORDS = """
lead lede standfirst dek deck chapo chapeau vorspann intro introduction subtitle subheadline subhead subline summary
ingress abstract
"""

# Words of what stands beside the headline in its heading: kickers, dates, second lines; and labels and sections, unless
# the same name says that it is the headline.
_BESIDE_WORDS = """
kicker eyebrow overline topline roofline dachzeile toptitle subtitle subhead subheading subheadline date
"""
_LABEL_WORDS = "topic label section category descriptor prefix"
_HEADLINE_WORDS = "headline heading title"

# Words of the boxes that hold a picture and what it shows.
_PICTURE_WORDS = "image images photo photos picture bild foto media img"

BODY_NAMES = frozenset(_BODY_NAMES.split())
TEXT_NAMES = frozenset(_TEXT_NAMES.split())
CONSENT_WORDS = frozenset(_CONSENT_WORDS.split())
DISCARD_WORDS = CONSENT_WORDS | frozenset(_DISCARD_WORDS.split())
LEAD_WORDS = frozenset(_LEAD_WORDS.split())
BESIDE_WORDS = frozenset(_BESIDE_WORDS.split())
LABEL_WORDS = frozenset(_LABEL_WORDS.split())
HEADLINE_WORDS = frozenset(_HEADLINE_WORDS.split())
PICTURE_WORDS = frozenset(_PICTURE_WORDS.split())
# The last two are MediaWiki's lists of references.
DISCARD_NAMES = frozenset(
    ["sr-only", "visually-hidden", "screen-reader-text", "no-print", "noprint", "reflist", "mw-references-wrap"]
)
DISCARD_TAGS = frozenset(
    [
        "nav",
        "aside",
        "footer",
        "form",
        "button",
        "menu",
        "figcaption",
        "figure",
        "video",
        "audio",
        "address",
        "noscript",
    ]
)
DISCARD_ROLES = frozenset(["navigation", "banner", "complementary", "contentinfo", "dialog", "search"])

# Posts of social networks: embeds, not the article's own text.
POSTS = frozenset(["twitter-tweet", "instagram-media", "tiktok-embed", "fb-post", "bluesky-embed", "reddit-embed-bq"])

# How lines begin that stand among the paragraphs of articles and are not part of them. An expression would say it as
# well, but takes a twentieth of this package's import to compile.
_FURNITURE_STARTS = """
also read
read also
read more
read next
related
see also
more from
recommended
advertisement
sign up
subscribe
follow us
click here
share this
lesen sie auch
lesen sie mehr
mehr zum thema
auch interessant
anzeige
lire aussi
à lire aussi
leia também
lea también
te puede interesar
leggi anche
lees ook
czytaj też
haber devam
les også
läs också
"""
FURNITURE_STARTS = tuple(_FURNITURE_STARTS.strip().splitlines())
# Such lines told by more than how they begin.
FURNITURE = re.compile(
    r"[（(【\[]?\s*(?:责任编辑|責任編輯|责编|责 编|编辑|編輯|来源|來源|"
    r"本文来源|摘自|原标题|作者|记者|文章来源|稿源)\s*[:：|].{0,60}$|(?:关键字|关键词|關鍵字|标签|分享到|相关阅读|"
    r"相关新闻|延伸阅读|字号|字體|字体|点击|更多精彩|热点推荐)\s*[:：]?|(?:资料图|图为|图：|图片来源|图片说明|"
    r"▲).{0,60}$|.{0,30}\d{4}[年-]\d{1,2}[月-]\d{1,2}日?.{0,12}\d{1,2}:\d{2}.{0,40}$|©|copyright ©|"
    r"all rights reserved|"
    # What stands where a foreign player or post isn't shown before the reader agrees.
    r"empfohlener (?:redaktioneller|externer) inhalt|an dieser stelle find(?:est du|en sie) .{0,60}inhalt|"
    r"(?:du kannst ihn dir|sie können ihn sich) mit einem klick|.{2,20}-inhalte? (?:erlauben|anzeigen|laden|zulassen)|"
    r"ich bin (?:damit )?einverstanden, dass|(?:(?:dabei|damit|hierdurch|dadurch) )?(?:können|werden) personenbezogene|"
    r"personenbezogene daten können|ein klick für den datenschutz|wir benötigen ihre (?:zustimmung|einwilligung)|"
    # Who took a picture.
    r"(?:image|photo(?:graph)?|picture|foto|bild|bildrechte)s?(?: by| credit|quelle)?\s*:.{2,60}$",
    re.IGNORECASE,
)
# When and by whom an entry of a live ticker was written, each in an element of its own and no space between: two names
# and more, and no sentence, nor an hour with its "PM".
STAMP = re.compile(
    r"(?:[01]?\d|2[0-3]):\d{2}(?!(?:[AP]M|Uhr)\b)(?:[A-ZÀ-Þ][\w'’-]*+\s?+){2,4}$|"
    r"\d{1,2} (?:min(?:ute)?s?|hours?) ago(?:\d{1,2}:\d{2}.{0,50})?$"
)
# How a caption that stands in the text ends: with the picture's credit.
CREDITED = re.compile(r"\((?:image|photo|picture|foto|bild|credit)s?\s*(?::|by|credit)[^()]{2,60}\)$", re.IGNORECASE)
# Headings of boxes with facts beside the story, or about a person in it.
FACTS = re.compile(
    r"(?:fakta|facts?|fact ?box|key facts|faits|zur person|steckbrief|infobox|about the authors?|zum autor|zur autorin|"
    r"über den autor|über die autorin)\b.{0,60}",
    re.IGNORECASE,
)
# What Chinese pages say of rights and liability, anywhere in a line; lower-case.
_DISCLAIMERS = """
免责声明 免責聲明 特别声明 特別聲明 腾讯声明 版权声明 版權聲明 未经授权 未经书面 违者必究 转载请注明 本网注明
凡本網注明 凡注明 版权均属 版權均 icp备 网声明: 网声明： 網声明: 網声明： 投资建议 仅代表作者 不代表本网
不代表本站 以上内容与 如有侵权 如发现错误 点击进入专题 扫描二维码 关注微信
"""
DISCLAIMERS = tuple(_DISCLAIMERS.split())
