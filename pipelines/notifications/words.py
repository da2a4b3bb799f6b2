"""The texts of messages, in Vietnamese and English.

A message says what a person needs to go and look: no person is described, and no picture is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from incidents.local_time import local_datetime
from incidents.rule_record import RuleRecord
from incidents.rules.health import KIND as HEALTH
from incidents.rules.severity import LEVELS
from pipelines.notifications.configuration import Language
from pipelines.notifications.messages import Draft, Message
from pipelines.notifications.names import Names

MAX_LINES = 30
"""Messages that a digest names one by one. Project default (docs/defaults.md)."""

Told = Literal["opened", "alerted", "corrected", "closed", "withdrawn", "escalated"]


@dataclass(frozen=True)
class News:
    """Something that is told of an incident.

    Attributes:
        what: what happened.
        record: the incident as the rules knew it then.
        names: of camera and zone.
        t: when it happened, microseconds UTC.
        reason: why it was withdrawn; else "".
        step: of escalated: number of the step.
        waited_min: of escalated: minutes for which no one has begun the review.
        severity_before: of corrected: the severity that was told before.
    """

    what: Told
    record: RuleRecord
    names: Names
    t: int
    reason: str = ""
    step: int = 0
    waited_min: int = 0
    severity_before: str = ""

    @property
    def key(self) -> str:
        """The same for the same news, so that a recipient can tell that a message came twice."""
        return f"{self.record.id}/{self.what}{f'-{self.step}' if self.step else ''}/{self.t}"


_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "violation": "Suspected violation",
        "fault": "Camera fault",
        "opened": "",
        "alerted": "goes on",
        "corrected": "severity changed",
        "closed": "ended",
        "withdrawn": "withdrawn",
        "escalated": "not reviewed",
        "facility": "Facility",
        "camera": "Camera",
        "zone": "Zone",
        "kind": "Kind",
        "severity": "Severity",
        "before": "before: ",
        "start": "Since",
        "end": "Until",
        "reason": "Reason",
        "waited": "No one has begun the review for {minutes} min.",
        "decide": "A person has to decide whether it is one.",
        "see": "To see it",
        "key": "Message",
        "digest": "{count} messages",
        "digest_body": "{count} messages were gathered, because of quiet hours or of the limit per hour:",
        "more": "and {count} more",
        "test": "Test message",
        "test_body": "This is a test of the notifications of Lazaretto. Nothing has happened.",
        "critical": "critical",
        "high": "high",
        "medium": "medium",
        "low": "low",
        "mask_absent": "no mask",
        "mask_incorrect": "incorrect mask",
        "zone_crossing": "zone crossing",
        "contact": "close contact",
        "gathering": "gathering",
        "camera_health": "camera fault",
        "zone_entry": "entered a zone",
        "line_crossing": "crossed a line",
        "wrong_way": "wrong way",
        "left_room": "left the room",
        "outsider_entry": "entry of an outsider",
        "staff_resident": "staff and resident",
        "outsider_any": "an outsider with others",
        "resident_resident": "residents of different rooms",
        "offline": "offline",
        "frozen": "frozen picture",
        "covered": "covered",
        "dark": "dark picture",
        "blurred": "blurred picture",
        "moved": "turned away",
        "undecodable": "undecodable",
        "clock": "wrong clock",
    },
    "vi": {
        "violation": "Nghi vấn vi phạm",
        "fault": "Sự cố camera",
        "opened": "",
        "alerted": "vẫn tiếp diễn",
        "corrected": "đổi mức độ",
        "closed": "đã kết thúc",
        "withdrawn": "đã rút lại",
        "escalated": "chưa có người duyệt",
        "facility": "Cơ sở",
        "camera": "Camera",
        "zone": "Khu vực",
        "kind": "Loại",
        "severity": "Mức độ",
        "before": "trước đó: ",
        "start": "Từ",
        "end": "Đến",
        "reason": "Lý do",
        "waited": "Đã {minutes} phút chưa có người bắt đầu duyệt.",
        "decide": "Cần người duyệt quyết định có phải vi phạm hay không.",
        "see": "Để xem",
        "key": "Mã tin",
        "digest": "{count} tin",
        "digest_body": "{count} tin được gộp lại, do giờ yên tĩnh hoặc giới hạn số tin mỗi giờ:",
        "more": "và {count} tin khác",
        "test": "Tin thử",
        "test_body": "Đây là tin thử của phần thông báo Lazaretto. Không có sự việc nào xảy ra.",
        "critical": "nghiêm trọng",
        "high": "cao",
        "medium": "trung bình",
        "low": "thấp",
        "mask_absent": "không đeo khẩu trang",
        "mask_incorrect": "đeo khẩu trang không đúng cách",
        "zone_crossing": "xâm nhập khu vực trái phép",
        "contact": "tiếp xúc gần",
        "gathering": "tụ tập",
        "camera_health": "sự cố camera",
        "zone_entry": "vào khu vực",
        "line_crossing": "vượt vạch",
        "wrong_way": "đi ngược chiều",
        "left_room": "ra khỏi phòng",
        "outsider_entry": "người ngoài xâm nhập",
        "staff_resident": "nhân viên và người cách ly",
        "outsider_any": "người ngoài với người khác",
        "resident_resident": "người cách ly khác phòng",
        "offline": "mất kết nối",
        "frozen": "hình đứng yên",
        "covered": "bị che khuất",
        "dark": "hình tối",
        "blurred": "hình mờ",
        "moved": "bị xoay hướng",
        "undecodable": "không giải mã được",
        "clock": "sai giờ",
    },
}


def word(lang: Language, name: str) -> str:
    """A name as a word of a language; one that is not known as it is, with blanks."""
    return _WORDS[lang].get(name, name.replace("_", " "))


def message_of(news: News, target: str, lang: Language, page: str | None) -> Draft:
    """The message that tells a target some news.

    Args:
        news: what is told.
        target: name of the target.
        lang: of the text.
        page: URL of the page of an incident, with {id} in it; None = the command is named.
    """
    record, health = news.record, news.record.kind == HEALTH
    heading = word(lang, "fault" if health else "violation")
    marks = ", ".join(part for part in (word(lang, record.severity), word(lang, news.what)) if part)
    what = word(lang, record.subkind or record.kind)
    place = " · ".join(part for part in (news.names.camera, news.names.zone) if part)
    kind = ", ".join(dict.fromkeys([word(lang, record.kind), *filter(None, [word(lang, record.subkind)])]))
    before = f" ({word(lang, 'before')}{word(lang, news.severity_before)})" if news.severity_before else ""
    see = page.replace("{id}", record.id) if page else f"lazaretto incidents show {record.id}"
    ended = news.what in ("closed", "withdrawn") or not record.ongoing
    lines = [
        heading if health else f"{heading}. {word(lang, 'decide')}",
        *([word(lang, "waited").format(minutes=news.waited_min)] if news.what == "escalated" else []),
        f"{word(lang, 'facility')}: {record.facility_name} ({record.facility_code})",
        f"{word(lang, 'camera')}: {news.names.camera}",
        *([f"{word(lang, 'zone')}: {news.names.zone}"] if news.names.zone else []),
        f"{word(lang, 'kind')}: {kind}",
        f"{word(lang, 'severity')}: {word(lang, record.severity)}{before}",
        f"{word(lang, 'start')}: {local_text(record.start, record.timezone)}",
        *([f"{word(lang, 'end')}: {local_text(record.end, record.timezone)}"] if ended else []),
        *([f"{word(lang, 'reason')}: {news.reason}"] if news.reason else []),
        f"{word(lang, 'see')}: {see}",
        f"{word(lang, 'key')}: {news.key}",
    ]
    return Draft(
        target=target,
        key=news.key,
        severity=record.severity,
        timezone=record.timezone,
        title=f"{heading} ({marks}): {what} · {place} · {record.facility_code}",
        body="\n".join(lines),
        payload=json.dumps(
            {
                "key": news.key,
                "event": news.what,
                "incident": record.id,
                "facility": record.facility_code,
                "camera": record.camera,
                "zone": record.zone,
                "kind": record.kind,
                "subkind": record.subkind,
                "severity": record.severity,
                "start": local_datetime(record.start, record.timezone).isoformat(timespec="seconds"),
                "see": see,
            },
            ensure_ascii=False,
        ),
    )


def digest_of(messages: Sequence[Message], lang: Language) -> Draft:
    """One message that gathers several, the most severe first, and says how many they are."""
    ordered = sorted(messages, key=lambda one: (-LEVELS.index(one.draft.severity), one.id))
    worst, count = ordered[0].draft, len(ordered)
    key = f"digest/{hashlib.sha256(' '.join(one.draft.key for one in ordered).encode()).hexdigest()[:16]}"
    lines = [word(lang, "digest_body").format(count=count), ""]
    lines += [
        f"{local_text(one.queued, one.draft.timezone)} {one.draft.title}" for one in ordered[:MAX_LINES]
    ]
    if count > MAX_LINES:
        lines.append(word(lang, "more").format(count=count - MAX_LINES))
    lines += ["", f"{word(lang, 'see')}: lazaretto incidents list", f"{word(lang, 'key')}: {key}"]
    return Draft(
        target=worst.target,
        key=key,
        severity=worst.severity,
        timezone=worst.timezone,
        title=f"Lazaretto ({word(lang, worst.severity)}): {word(lang, 'digest').format(count=count)}",
        body="\n".join(lines),
        payload=json.dumps(
            {
                "key": key,
                "event": "digest",
                "count": count,
                "severity": worst.severity,
                "messages": [json.loads(one.draft.payload) for one in ordered],
            },
            ensure_ascii=False,
        ),
        digest=True,
    )


def trial_message(target: str, lang: Language, now: int) -> Draft:
    """A message that only shows that messages arrive."""
    key = f"test/{now}"
    return Draft(
        target=target,
        key=key,
        severity="low",
        timezone="UTC",
        title=f"Lazaretto: {word(lang, 'test')}",
        body=f"{word(lang, 'test_body')}\n{word(lang, 'key')}: {key}",
        payload=json.dumps({"key": key, "event": "test"}),
    )


def local_text(t: int, timezone: str) -> str:
    """Microseconds UTC as a person writes the time: 2026-11-24 15:00:00 +0700."""
    return local_datetime(t, timezone).strftime("%Y-%m-%d %H:%M:%S %z")
