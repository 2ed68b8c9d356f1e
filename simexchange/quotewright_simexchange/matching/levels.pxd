cimport cython

cdef long long BUY, SELL, CHANGE_WORDS, MOST, NO_RANK

@cython.locals(place=cython.longlong)
cdef long long top_bit(long long word) except -1

cdef packed struct LevelFields:
    long long quantity
    long long head
    long long tail
    long long rank
    long long side
    long long before
    long long is_touched
    long long is_shown
    long long hidden

cdef packed struct SideFields:
    long long best_rank
    long long best_level
    long long base
    long long level_count
    long long window_at
    long long bits_at
    long long summary_at
    long long open_lots
    long long waiting_lots

cdef packed struct ChangeFields:
    long long side
    long long price
    long long quantity
    long long sequence

cdef class LevelIndex:
    cdef readonly long long tick_steps
    cdef long long window_size
    cdef long long near
    cdef readonly long long feed_sequence
    cdef LevelFields[::1] rungs
    cdef long long rung_count
    cdef long long free_level
    cdef SideFields[::1] sides
    cdef long long[::1] windows
    cdef long long[::1] bits
    cdef long long[::1] summary
    cdef list far_levels
    cdef list far_ranks
    cdef long long[::1] touched
    cdef long long touched_room
    cdef long long touched_count
    cdef ChangeFields[::1] change_rows
    cdef long long change_room
    cdef readonly long long change_count
    cdef bint _touch(self, long long level) except -1
    @cython.locals(offset=cython.longlong, level=cython.longlong)
    cdef long long _open_level(self, long long side, long long rank) except -1
    @cython.locals(base=cython.longlong, best=cython.longlong, is_moved=cython.bint, level=cython.longlong)
    cdef long long _find_far(self, long long side, long long rank) except -1
    cdef bint _place_far(self, long long level) except -1
    cdef bint _show_far(self, long long level) except -1
    cdef bint _hide_far(self, long long side, long long rank) except -1
    cdef bint _drop_far(self, long long side, long long rank) except -1
    @cython.locals(side=cython.longlong, offset=cython.longlong)
    cdef bint _place_level(self, long long level) except -1
    @cython.locals(side=cython.longlong, rank=cython.longlong, offset=cython.longlong, at=cython.longlong,
                   bit=cython.longlong, word=cython.longlong)
    cdef bint _show(self, long long level) except -1
    @cython.locals(side=cython.longlong, rank=cython.longlong, offset=cython.longlong, at=cython.longlong,
                   bit=cython.longlong)
    cdef bint _hide(self, long long level) except -1
    cdef bint _move_to_far(self, long long side) except -1
    cdef bint _grow_touched(self) except -1
    cdef bint _grow_changes(self) except -1
    @cython.locals(first=cython.longlong, level=cython.longlong)
    cdef bint _grow_levels(self) except -1
    @cython.locals(bit=cython.longlong)
    cdef bint _set_bit(self, long long side, long long offset) except -1
    @cython.locals(at=cython.longlong, mask=cython.longlong, word=cython.longlong, group=cython.longlong)
    cdef long long _highest(self, long long side, long long offset) except? -1
    @cython.locals(offset=cython.longlong, count=cython.longlong)
    cdef long long _next_level(self, long long side, long long rank) except -1
    @cython.locals(window=cython.longlong, found=list, offset=cython.longlong, index=cython.longlong,
                   level=cython.longlong)
    cdef bint _move_window(self, long long side, long long rank) except -1
    @cython.locals(count=cython.longlong, level=cython.longlong, other=cython.longlong, side=cython.longlong,
                   is_behind=cython.bint, number=cython.longlong, index=cython.longlong, quantity=cython.longlong,
                   at=cython.longlong, price=cython.longlong, offset=cython.longlong)
    cdef bint _publish(self) except -1
    @cython.locals(index=cython.longlong, level=cython.longlong, side=cython.longlong, rank=cython.longlong,
                   at=cython.longlong, other=cython.longlong)
    cdef bint _sort_touched(self) except -1
    @cython.locals(found=list, index=cython.longlong)
    cpdef list changes(self)
    @cython.locals(row=ChangeFields)
    cdef tuple _change(self, long long index)
    cpdef long long change(self, long long index, long long column) except? -1
    @cython.locals(level=cython.longlong)
    cpdef long long best_bid(self) except -1
    @cython.locals(level=cython.longlong)
    cpdef long long best_offer(self) except -1
    @cython.locals(level=cython.longlong)
    cdef long long _shown_level(self, long long side) except -1
    @cython.locals(level=cython.longlong)
    cpdef long long size_at(self, long long side, long long price) except -1
    cpdef long long level_count(self, long long side) except -1
    @cython.locals(ticks=cython.longlong, rank=cython.longlong, offset=cython.longlong)
    cdef long long _level_at(self, long long side, long long price) except -1
    cdef long long _price(self, long long rank) except -1
