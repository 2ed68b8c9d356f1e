cimport cython

cdef long long BUY, SELL, CHANGE_WORDS, MOST, NO_RANK

@cython.locals(place=cython.longlong)
cdef long long top_bit(long long word) except -1

cdef class LevelIndex:
    cdef readonly long long tick_steps
    cdef long long window_size
    cdef long long near
    cdef readonly long long feed_sequence
    cdef long long[::1] level_quantity
    cdef long long[::1] level_head
    cdef long long[::1] level_tail
    cdef long long[::1] level_rank
    cdef long long[::1] level_side
    cdef long long[::1] level_before
    cdef long long[::1] level_is_touched
    cdef long long[::1] level_is_shown
    cdef long long[::1] level_hidden
    cdef long long free_level
    cdef long long[::1] best_rank
    cdef long long[::1] best_level
    cdef long long[::1] base
    cdef long long[::1] level_counts
    cdef long long[::1] window_at
    cdef long long[::1] bits_at
    cdef long long[::1] summary_at
    cdef long long[::1] windows
    cdef long long[::1] bits
    cdef long long[::1] summary
    cdef list far_levels
    cdef list far_ranks
    cdef long long[::1] touched
    cdef long long touched_room
    cdef long long touched_count
    cdef long long[::1] change_words
    cdef long long change_room
    cdef readonly long long change_count
    cdef bint _touch(self, long long level) except -1
    @cython.locals(base=cython.longlong, best=cython.longlong, is_moved=cython.bint, level=cython.longlong)
    cdef long long _open_level(self, long long side, long long rank) except -1
    @cython.locals(side=cython.longlong, rank=cython.longlong, offset=cython.longlong)
    cdef bint _place_level(self, long long level) except -1
    @cython.locals(side=cython.longlong, offset=cython.longlong)
    cdef bint _drop_level(self, long long level) except -1
    @cython.locals(side=cython.longlong, rank=cython.longlong, offset=cython.longlong)
    cdef bint _show(self, long long level) except -1
    @cython.locals(side=cython.longlong, rank=cython.longlong, offset=cython.longlong, at=cython.longlong,
                   bit=cython.longlong)
    cdef bint _hide(self, long long level) except -1
    @cython.locals(bit=cython.longlong)
    cdef bint _set_bit(self, long long side, long long offset) except -1
    @cython.locals(at=cython.longlong, mask=cython.longlong, word=cython.longlong, group=cython.longlong)
    cdef long long _highest(self, long long side, long long offset) except? -1
    @cython.locals(offset=cython.longlong, count=cython.longlong)
    cdef long long _next_level(self, long long side, long long rank) except -1
    @cython.locals(window=cython.longlong, found=list, offset=cython.longlong, index=cython.longlong,
                   level=cython.longlong)
    cdef bint _move_window(self, long long side, long long rank) except -1
    @cython.locals(count=cython.longlong, is_first=cython.bint, index=cython.longlong, level=cython.longlong,
                   quantity=cython.longlong, at=cython.longlong)
    cdef bint _publish(self) except -1
    @cython.locals(index=cython.longlong, level=cython.longlong, side=cython.longlong, rank=cython.longlong,
                   at=cython.longlong, other=cython.longlong)
    cdef bint _sort_touched(self) except -1
    @cython.locals(found=list, index=cython.longlong, at=cython.longlong)
    cpdef list changes(self)
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
