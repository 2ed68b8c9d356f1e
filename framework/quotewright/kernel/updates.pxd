cimport cython
from quotewright.kernel.layouts cimport UpdateLayout
from quotewright.kernel.rows cimport TapeBuffer
from quotewright.kernel.scanner cimport Scanner
from quotewright.kernel.sink cimport Listed, TapeSink

cdef long long BID, EVENT_ESTIMATED, FLAG_SHIFT, INSTRUMENT_SHIFT, LAST_BIT, LEVEL_DELETE, LEVEL_SET, OFFER, ROW_WORDS, SIDE_SHIFT
cdef long long NOT_READ
cdef long long BIDS, DEPTH, EVENT, FIRST, KEY_WORDS, KIND, LAST, LINKS, MICROSECONDS_FROM, NAME, NAME_LENGTH, OPEN_ONE, OVERLAPS, PREVIOUS, QUOTED, SENT, SEQUENCE, SYMBOL, VALUE, VALUE_LENGTH, WORD, ZERO, MAX_DEPTH, MAX_ROUTES

cdef bint is_same(const char *text, long long at, long long end, const char *other, long long other_at, long long length) except -1

cdef bint is_plain(const char *text, long long at, long long end) except -1

cdef class Tally:
    cdef public long long messages
    cdef public long long updates

cdef class Chain:
    cdef public object state
    cdef public long long last_id
    cdef public bint is_joining
    cdef public long long stale_run
    cdef public long long messages
    cdef public long long stamp
    cdef public long long sequence

cdef class Route:
    cdef str symbol
    cdef Chain chain
    cdef bytes symbol_text
    cdef TapeSink sink
    cdef long long listings
    cdef long long word
    cdef long long price_decimals
    cdef long long size_decimals

cdef class UpdateReader:
    cdef UpdateLayout layout
    cdef Tally tally
    cdef object good
    cdef long long limit
    cdef readonly dict routes
    cdef Scanner scanner
    cdef long long at
    cdef long long number
    cdef long long[::1] values
    cdef public long long taken
    @cython.locals(left=cython.longlong, at=cython.longlong)
    cdef long long prefix(self, bytes data, const char *text, long long end) except -1
    @cython.locals(end=cython.longlong, key=bytes, known=Route)
    cpdef bint learn(self, bytes frame, str symbol, Chain chain) except -1
    @cython.locals(key=bytes, route=Route)
    cpdef bint forget(self, Chain chain) except -1
    cpdef bint take(self, object frame, long long receive_ns, object sink) except -1
    @cython.locals(end=cython.longlong, at=cython.longlong, route=Route, chain=Chain, buffer=TapeBuffer, start=cython.longlong, stamp=cython.longlong, event_ns=cython.longlong, word=cython.longlong, flag=cython.longlong, last_id=cython.longlong, count=cython.longlong)
    cdef bint read_update(self, bytes frame, long long receive_ns, TapeSink sink) except -1
    @cython.locals(listed=Listed, word=cython.longlong)
    cdef bint bind(self, Route route, TapeSink sink) except -1
    @cython.locals(known=cython.longlong, last=cython.longlong, rule=cython.longlong)
    cdef bint follows(self, Chain chain) except -1
    @cython.locals(layout=UpdateLayout, names=bytes, last_key=cython.longlong, depth=cython.longlong, arrays=cython.longlong, seen=cython.longlong, found=cython.longlong, place=cython.longlong, is_start=cython.bint, code=cython.longlong, start=cython.longlong, tried=cython.longlong, bit=cython.longlong, kind=cython.longlong)
    cdef bint read(self, bytes data, const char *text, long long at, long long end, Route route, TapeBuffer buffer) except -1
    @cython.locals(code=cython.longlong)
    cdef long long string(self, const char *text, long long at, long long end) except -1
    @cython.locals(start=cython.longlong, value=cython.longlong, digit=cython.longlong)
    cdef long long whole(self, const char *text, long long at, long long end, bint is_quoted) except -1
    @cython.locals(scanner=Scanner, has_actions=cython.bint, price_decimals=cython.longlong, size_decimals=cython.longlong, set_word=cython.longlong, delete_word=cython.longlong, room=cython.longlong, target=cython.longlong, is_delete=cython.bint, start=cython.longlong, is_quoted=cython.bint, price=cython.longlong, size=cython.longlong, code=cython.longlong)
    cdef long long levels(self, bytes data, const char *text, long long at, long long end, long long side, Route route, TapeBuffer buffer) except -1
