"""Points on the map: found in what people send or type, and how far they are apart."""

from __future__ import annotations

import math
import re

from tickets.schemas import Point

_EARTH_METRES = 6_371_008.8
_NUMBER = r"(-?\d{1,3}[.,]\d{2,15})"
_PAIR = re.compile(rf"(?<![\d.,]){_NUMBER}\s*°?\s*[NnBb]?\s*[;, ]\s*{_NUMBER}(?![\d])")
# Where a point of this country can lie; it also tells which number of a pair is the latitude.
_SOUTH, _NORTH, _WEST, _EAST = 7.0, 24.0, 101.0, 118.0


def find_point(text: str) -> Point | None:
    """Return the first pair of coordinates in a text that lies in this country, in either order.

    Reads a shared location ("Vị trí: 13.98, 108.0"), what people copy from a map, and links to maps.
    """
    for match in _PAIR.finditer(text.replace("%2C", ",")):
        first, second = (float(part.replace(",", ".")) for part in match.groups())
        for latitude, longitude in ((first, second), (second, first)):
            if _SOUTH <= latitude <= _NORTH and _WEST <= longitude <= _EAST:
                return Point(latitude=latitude, longitude=longitude)
    return None


def metres_between(one: Point, other: Point) -> float:
    """Return the distance in metres over the ground (haversine formula, mean radius of the earth)."""
    first, second = math.radians(one.latitude), math.radians(other.latitude)
    rise = math.sin((second - first) / 2) ** 2
    turn = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * _EARTH_METRES * math.asin(math.sqrt(rise + math.cos(first) * math.cos(second) * turn))


def degrees_around(point: Point, metres: float) -> tuple[float, float]:
    """Return by how many degrees of latitude and longitude a square reaches `metres` from its middle."""
    latitude = math.degrees(metres / _EARTH_METRES)
    return latitude, latitude / max(0.01, math.cos(math.radians(point.latitude)))
