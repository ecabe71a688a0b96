"""A reprint is known whatever its headline, length and punctuation; another report on the same affair is none."""

import itertools
import random

import pytest

from broadsheet.reprints import THRESHOLD, bands, resemblance, signature

FERRY = """\
The ferry that has crossed the bay since before the bridge was built will make its last regular trip on Sunday evening,
the harbour office said, ending a service that carried dairy farmers, schoolchildren and, in one hard winter, the whole
of the valley's post. Its captain, who took the wheel from her father, told the council that spare parts for the engine
are no longer made and that a new boat would cost more than the town spends on its roads in four years. Three families
on the far shore asked for a bus to be put in its place. The council promised an answer before the first frost, and set
aside money for a small museum in the old ticket house. Until then the boat stays moored at the northern pier, where
visitors may go aboard on market days. A collection for a new coat of paint brought in more than anyone had expected.
"""
BRIDGE = """\
Repairs on the bay bridge will take until the spring, a month longer than planned, because the steel that was ordered in
the summer has turned out to be of the wrong grade. Drivers have to expect a single lane between eight in the morning
and six in the evening, and lorries must go round by the upper valley. The engineer in charge said that the delay was
dear but safe, and that the two new bearings are already in place. Shopkeepers on the northern pier complain of empty
mornings. The council has asked the harbour office whether the ferry could run twice as often for as long as the work
goes on, and wants to hear by Friday what that would cost. A first estimate is said to lie at about a third of the toll.
"""
FERRY_ZH = (
    "横渡海湾六十多年的老渡轮将在星期天傍晚完成最后一趟定期航班。港务处说，这条航线曾经运送奶农、学生，"
    "在一个严冬里还运送过整个山谷的邮件。船长从父亲手里接过舵轮，她告诉镇议会，发动机的零件早已停产，"
    "造一条新船的花费超过全镇四年的修路开支。对岸的三户人家要求改开公共汽车。镇议会答应在第一场霜冻之前答复，"
    "并且拨出一笔钱，把旧售票亭改成小小的博物馆。在那之前，渡轮停靠在北码头，赶集的日子游客可以上船参观。"
    "为它重新刷漆的募捐已经开始，收到的钱比谁预料的都多。"
)
BRIDGE_ZH = (
    "海湾大桥的维修要拖到明年春天，比原计划晚一个月，因为夏天订购的钢材等级不对。早上八点到傍晚六点之间，"
    "桥上只开放一条车道，货车必须绕行上游山谷。负责工程的工程师表示，延误虽然昂贵，但是安全第一，"
    "两个新支座已经安装到位。北码头的店主抱怨上午没有客人。镇议会询问港务处，施工期间渡轮能否加开一倍班次，"
    "希望星期五以前知道所需的费用。初步估算大约相当于过桥费收入的三分之一。"
)
INTRO = {
    FERRY: "Our own correspondent adds that people stood on the quay until late, and sang.\n",
    FERRY_ZH: "本报记者从码头发来的报道说，人们一直站到深夜，还唱起了歌。\n",
}


def is_linked(a: str, b: str) -> bool:
    """As parse does: found by a band in common, then held against the threshold."""
    one, other = signature(a), signature(b)
    assert one is not None
    assert other is not None
    return bool({*bands(one)} & {*bands(other)}) and resemblance(one, other) >= THRESHOLD


@pytest.mark.parametrize("text", [FERRY, FERRY_ZH], ids=["English", "Chinese"])
def test_a_reprint_is_linked_however_it_was_dressed(text: str) -> None:
    assert is_linked(text, text)
    assert is_linked(text, text.upper().replace(".", " .\n\n").replace("，", ", ").replace("。", "！\n"))
    assert is_linked(text, text[: int(len(text) * 0.7)])
    assert is_linked(text, INTRO[text] + text)
    assert is_linked(text, text + (BRIDGE if text is FERRY else BRIDGE_ZH))


def test_another_report_on_the_same_affair_is_not_linked() -> None:
    for a, b in itertools.permutations((FERRY, BRIDGE, FERRY_ZH, BRIDGE_ZH), 2):
        assert not is_linked(a, b)


def test_full_width_digits_and_letters_are_the_same_text() -> None:
    assert signature(FERRY_ZH + "2026年11月") == signature(FERRY_ZH + "２０２６年１１月")


@pytest.mark.parametrize(
    "brief",
    ["", "…!?", FERRY[:400], FERRY_ZH[:110], "\x00" * 10_000, "ไทย" * 10],
    ids=["empty", "punctuation", "English", "Chinese", "nothing", "Thai"],
)
def test_briefs_are_recognised_by_nothing(brief: str) -> None:
    assert signature(brief) is None


def test_any_script_has_a_signature() -> None:
    scripts = {
        "Thai": "กขคงจฉชซ",
        "Arabic": "ابتثجحخد",
        "Hindi": "कखगघङच",
        "Japanese": "あいうえおカキク漢字",
        "Korean": "가나다라마",
    }
    draw = random.Random(5)
    for name, letters in scripts.items():
        text = " ".join("".join(draw.choices(letters, k=5)) for _ in range(200))
        assert is_linked(text, text[: len(text) * 3 // 4]), name
        other = " ".join("".join(draw.choices(letters, k=5)) for _ in range(200))
        assert not is_linked(text, other), name


def test_a_signature_is_the_same_on_every_machine() -> None:
    """Filed texts outlive the process: this is what version 2 makes of a text."""
    found = signature(FERRY)
    assert found is not None
    assert found == 0x337EC48D35D5AB275F4ABEBF5D4BCE88B72EDC5CAE10897E5679022D95D183DB
    assert bands(found)[:4] == (33755, 103889, 131629, 218745)


def test_halves_of_characters_do_no_harm() -> None:
    assert signature("\ud83d ".join(FERRY.split())) is not None
