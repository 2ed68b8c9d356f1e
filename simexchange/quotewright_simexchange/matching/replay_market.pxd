cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright_simexchange.matching.order_ladder cimport OrderLadder

cdef int BID, BUY, OFFER
cdef long long NEVER

cdef class OwnOrder:
    cdef public long long number
    cdef public int side
    cdef public long long price
    cdef public long long price_ticks
    cdef public long long quantity_lots
    cdef public long long leaves_lots
    cdef public long long ahead
    cdef public double ahead_part
    cdef public long long arrived
    cdef public long long joined
    cdef public long long met
    cdef public double moved
    cdef public bint is_blind
    cdef public bint post_only
    cdef public bint reduce_only

cdef class OwnLevel:
    cdef public int side
    cdef public long long price
    cdef public long long displayed
    cdef public long long printed
    cdef public long long gone
    cdef public long long gone_ns
    cdef public list orders

cdef class Market:
    cdef public object instrument
    cdef public BookModel book
    cdef public OrderLadder by_order
    cdef public bint is_top_only
    cdef public long long tick_steps
    cdef public long long lot_steps
    cdef public long long least_steps
    cdef public long long most_steps
    cdef public double size_unit
    cdef public list bids
    cdef public list offers
    cdef public bint is_watching
    cdef public long long bids_from
    cdef public long long offers_to
    cdef public dict taken_bids
    cdef public dict taken_offers
    cdef public bint in_gap
    cdef public long long gap_began_ns
    cdef public long long gap_ns
    cdef public long long position_lots
    cdef public object taking
    cdef public long long underlying
    cdef public object money
    cdef public str trouble
    @cython.locals(best=cython.longlong)
    cpdef bint touches(self, int side, long long limit) except -1
    @cython.locals(price=object, size=object)
    cpdef bint is_reached(self, int side, long long limit) except -1
    @cython.locals(count=cython.longlong, inside=list, is_whole=cython.bint, levels=list)
    cpdef list opposite(self, int side, object limit)
    @cython.locals(levels=list, book=BookModel, displayed=cython.longlong, place=cython.Py_ssize_t, level=OwnLevel, best=cython.longlong)
    cpdef bint rest(self, OwnOrder order) except -1
    @cython.locals(levels=list, level=OwnLevel)
    cpdef bint unrest(self, OwnOrder order) except -1
    @cython.locals(size=cython.longlong, price=object)
    cpdef str check_size(self, long long price_ticks, long long quantity_lots, bint is_market)
    @cython.locals(taken=dict)
    cpdef bint refresh(self, int side, long long price) except -1
    @cython.locals(bids=list, offers=list, has_taken=cython.bint, lowest=cython.longlong, highest=cython.longlong, level=OwnLevel)
    cpdef bint watch(self) except -1
