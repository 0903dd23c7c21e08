"""Every event, item, part and response of the Responses API as a frozen, typed model.

One class for each wire type, named by rule: `response.output_text.delta` is `ResponseOutputTextDeltaEvent`, the item
`function_call` is `FunctionCallItem`, the part `output_text` is `OutputTextPart`, the annotation `url_citation` is
`UrlCitationAnnotation`. An unknown type becomes an `UnknownEvent`, `UnknownItem`, `UnknownPart` or `UnknownAnnotation`.
"""

from rxstream.events import (
    _aliases,
    _base,
    _item_tools,
    _item_types,
    _item_union,
    _items,
    _lenient,
    _lifecycle,
    _media,
    _own,
    _parse,
    _parts,
    _reasoning,
    _response,
    _socket,
    _text,
    _tools,
    _union,
    _unknown,
)
from rxstream.events._aliases import *
from rxstream.events._base import *
from rxstream.events._item_tools import *
from rxstream.events._item_types import *
from rxstream.events._item_union import *
from rxstream.events._items import *
from rxstream.events._lenient import *
from rxstream.events._lifecycle import *
from rxstream.events._media import *
from rxstream.events._own import *
from rxstream.events._parse import *
from rxstream.events._parts import *
from rxstream.events._reasoning import *
from rxstream.events._response import *
from rxstream.events._socket import *
from rxstream.events._text import *
from rxstream.events._tools import *
from rxstream.events._union import *
from rxstream.events._unknown import *

__all__: list[str] = []
__all__ += _aliases.__all__
__all__ += _base.__all__
__all__ += _item_tools.__all__
__all__ += _item_types.__all__
__all__ += _item_union.__all__
__all__ += _items.__all__
__all__ += _lifecycle.__all__
__all__ += _media.__all__
__all__ += _own.__all__
__all__ += _parse.__all__
__all__ += _parts.__all__
__all__ += _lenient.__all__
__all__ += _reasoning.__all__
__all__ += _response.__all__
__all__ += _socket.__all__
__all__ += _text.__all__
__all__ += _tools.__all__
__all__ += _union.__all__
__all__ += _unknown.__all__
