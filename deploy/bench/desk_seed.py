"""Fills a PostgreSQL database with years of a desk's work: conversations, messages, the index of words.

People, sentences and times are drawn with a fixed seed, so that two runs measure the same. Rows are written
with COPY; the index of words is built afterwards, as `conversations.desk.search` would have it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from conversations.desk.words import indexed_words

_SURNAMES = "Nguyễn;Trần;Lê;Phạm;Hoàng;Huỳnh;Phan;Vũ;Võ;Đặng;Bùi;Đỗ;Hồ;Ngô;Dương;Lý;Rơ;Rmah;Ksor;Siu"
_MIDDLES = "Thị;Văn;Hữu;Đức;Thanh;Minh;Ngọc;Quốc;Xuân;Thu;Hồng;Kim;Công;Đình"
_GIVEN = (
    "Hoà;Hoa;Hằng;Hùng;Dũng;Lan;Linh;Mai;Nam;Phong;Quân;Sơn;Tâm;Thảo;Thuỷ;Trang;Tuấn;Vân;Việt;Yến;Bình;Châu;"
    "Diệp;Giang;Hà;Khánh;Loan;My;Nga;Oanh;Phúc;Quyên;Tài;Uyên;Xuân;Đạt;Ánh;Ngân;Nhung;Thắng"
)
_STREETS = (
    "Hùng Vương;Phan Đình Phùng;Trường Chinh;Lê Lợi;Quang Trung;Nguyễn Huệ;Trần Phú;Cách Mạng Tháng Tám;"
    "Wừu;Lý Thái Tổ;Nguyễn Tất Thành;Phạm Văn Đồng;Hoàng Văn Thụ;Đinh Tiên Hoàng"
)
_PLACES = "Pleiku;An Khê;Ayun Pa;Chư Sê;Đak Đoa;Ia Grai;Kbang;Mang Yang;Quy Nhơn;Tuy Phước;Phù Cát"
_MATTERS = (
    "đăng ký khai sinh;đăng ký kết hôn;cấp giấy chứng nhận quyền sử dụng đất;cấp đổi thẻ căn cước;"
    "đăng ký thường trú;cấp phép xây dựng nhà ở;trợ cấp thất nghiệp;cấp lại sổ bảo hiểm xã hội;"
    "đăng ký hộ kinh doanh;xác nhận tình trạng hôn nhân;chứng thực bản sao;cấp phiếu lý lịch tư pháp;"
    "chuyển mục đích sử dụng đất;tách thửa đất;hỗ trợ người khuyết tật;cấp giấy phép lái xe;khai tử"
)
_ASKED = (
    "cho em hỏi thủ tục {matter} cần giấy tờ gì",
    "lệ phí {matter} bao nhiêu vậy ạ",
    "em là {name}, ở {number} {street}, {place}, muốn làm {matter}",
    "{matter} thì nộp ở đâu, có nộp qua mạng được không",
    "đèn đường trước số {number} {street} hỏng cả tuần nay rồi",
    "rác ở hẻm {number} {street}, {place} không ai thu gom",
    "nước máy ở {place} đục, gọi mãi không ai trả lời",
    "hồ sơ {matter} của em nộp hôm {day} tới giờ chưa thấy kết quả",
    "số điện thoại của em là {phone}, tên {name}",
    "dạ cảm ơn anh chị",
    "vậy mất bao lâu thì xong ạ",
    "ổ gà to trên đường {street} đoạn gần số {number}, nguy hiểm lắm",
)
_SAID = (
    "Về {matter}: thời hạn giải quyết {number} ngày làm việc kể từ ngày nhận đủ hồ sơ.",
    "Dạ, lệ phí {matter}: miễn phí. Anh/chị nộp tại Trung tâm Phục vụ hành chính công {place}.",
    "Dạ, em đã ghi nhận phản ánh ở {street}, {place}. Đơn vị phụ trách sẽ xử lý trong {number} ngày.",
    "Hồ sơ {matter} gồm tờ khai theo mẫu, giấy tờ tùy thân và bản sao giấy tờ liên quan.",
    "Dạ anh/chị {name} vui lòng cho em xin thêm ảnh chụp nơi xảy ra ạ.",
    "Anh/chị cần gì thêm cứ nhắn em.",
)
_CHANNELS = ("webchat", "webchat", "zalo", "zalo", "zalo", "messenger")
_CHUNK = 2_000

CONVERSATION_COLUMNS = (
    "id", "channel", "external_user_id", "owner", "assigned_to", "session", "next_sequence",
    "last_activity_at", "last_message", "last_author", "unread", "waiting_since", "queue_told_at",
    "handoff_reason", "urgent", "created_at",
)  # fmt: skip
MESSAGE_COLUMNS = (
    "id", "conversation_id", "sequence", "session", "direction", "author", "channel", "provider_message_id",
    "kind", "text", "payload", "state", "attempts", "provider_timestamp", "created_at", "handled_at",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much there is; each of `operators` holds `held` conversations, `waiting` wait for one of them."""

    conversations: int = 100_000
    messages: int = 2_000_000
    waiting: int = 120
    held: int = 8

    @property
    def each(self) -> int:
        """Messages of one conversation."""
        return self.messages // self.conversations


class Writer:
    """Draws conversations.

    Args:
        size: how much.
        operators: ids of those who hold some.
        now: the newest moment.
    """

    def __init__(self, size: Size, operators: list[str], now: datetime) -> None:
        self._size = size
        self._operators = operators
        self._now = now
        self._random = random.Random(1022)  # noqa: S311 - draws test data

    def chunks(self) -> Iterator[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]]:
        """Yield rows of conversations, of messages and of the index, oldest activity first."""
        total = self._size.conversations
        for start in range(0, total, _CHUNK):
            conversations: list[tuple[Any, ...]] = []
            messages: list[tuple[Any, ...]] = []
            for number in range(start, min(start + _CHUNK, total)):
                row, said = self._conversation(number)
                conversations.append(row)
                messages += said
            words = [("message", row[0], row[1], indexed_words(row[9])) for row in messages]
            yield conversations, messages, words

    def _conversation(self, number: int) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
        draw = self._random
        total, each = self._size.conversations, self._size.each
        # The last ones are those of today.
        last = self._now - timedelta(days=365) * ((total - number) / total)
        conversation_id = UUID(int=draw.getrandbits(128)).hex
        channel = draw.choice(_CHANNELS)
        facts = self._facts()
        rows = []
        for place in range(1, each + 1):
            at = last - timedelta(minutes=3 * (each - place))
            is_in = place % 2 == 1
            text = draw.choice(_ASKED if is_in else _SAID).format(**facts)
            rows.append(
                (
                    UUID(int=draw.getrandbits(128)).hex, conversation_id, place, 1, "in" if is_in else "out",
                    "citizen" if is_in else "bot", channel,
                    f"{number}-{place}" if is_in else None, "text", text, "{}",
                    "done" if is_in else "sent", 1, at, at, at,
                )
            )  # fmt: skip
        owner, held_by, waiting = self._owner(number, last)
        row = (
            conversation_id, channel, f"seed-{number}", owner, held_by, 1, each + 1, last, rows[-2][9][:200],
            "citizen", int(owner != "bot"), waiting, waiting,
            "Người dân xin gặp người trực" if waiting else None,
            owner == "queue" and number % 20 == 0, rows[0][14],
        )  # fmt: skip
        return row, rows

    def _owner(self, number: int, last: datetime) -> tuple[str, str | None, datetime | None]:
        from_end = self._size.conversations - 1 - number
        if from_end < self._size.waiting:
            return "queue", None, last
        held = from_end - self._size.waiting
        if held < self._size.held * len(self._operators):
            return "person", self._operators[held % len(self._operators)], None
        return "bot", None, None

    def _facts(self) -> dict[str, Any]:
        draw = self._random

        def one(listed: str) -> str:
            return draw.choice(listed.split(";"))

        return {
            "name": f"{one(_SURNAMES)} {one(_MIDDLES)} {one(_GIVEN)}",
            "street": one(_STREETS),
            "place": one(_PLACES),
            "matter": one(_MATTERS),
            "number": draw.randrange(1, 600),
            "day": f"{draw.randrange(1, 29)}/{draw.randrange(1, 13)}",
            "phone": f"0{draw.choice((905, 914, 935, 972, 983))}{draw.randrange(1_000_000):06d}",
        }


async def seed(url: str, size: Size, operators: list[str]) -> dict[str, float]:
    """Fill the migrated database at `url` (`postgresql://…`); return the seconds each part took."""
    connection: Any = await asyncpg.connect(url)
    clock = _Seconds()
    try:
        # COPY is binary: the version of the format, then the text.
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            encoder=lambda text: b"\x01" + text.encode(),
            decoder=lambda body: body[1:].decode(),
            format="binary",
        )
        await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        await connection.execute("DROP INDEX search_words")
        await connection.execute(
            "CREATE UNLOGGED TABLE seed_words (kind text, ref text, conv text, words text)"
        )
        for conversations, messages, words in Writer(size, operators, datetime.now(UTC)).chunks():
            for table, columns, rows in (
                ("conversations", CONVERSATION_COLUMNS, conversations),
                ("messages", MESSAGE_COLUMNS, messages),
                ("seed_words", ("kind", "ref", "conv", "words"), words),
            ):
                await connection.copy_records_to_table(table, records=rows, columns=columns)
        clock.lap("rows")
        await connection.execute(
            "INSERT INTO search_documents (kind, ref, conversation_id, words) "
            "SELECT kind, ref, conv, to_tsvector('simple', words) FROM seed_words"
        )
        await connection.execute("DROP TABLE seed_words")
        await connection.execute(
            "INSERT INTO search_conversations (conversation_id, sequence) "
            "SELECT id, next_sequence - 1 FROM conversations"
        )
        clock.lap("words")
        await connection.execute("CREATE INDEX search_words ON search_documents USING gin (words)")
        clock.lap("index")
        await connection.execute("VACUUM ANALYZE")
        clock.lap("analyse")
    finally:
        await connection.close()
    return clock.laps


class _Seconds:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = datetime.now(UTC)

    def lap(self, name: str) -> None:
        now = datetime.now(UTC)
        self.laps[name] = (now - self._last).total_seconds()
        self._last = now
