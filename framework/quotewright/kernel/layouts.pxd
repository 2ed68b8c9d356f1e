cimport cython

cdef long long OPEN, OPEN_ONE, SYMBOL, WORD, TEXT, FIRST, LAST, PREVIOUS, EVENT, SENT, NUMBER, ZERO, SEQUENCE, BIDS, OFFERS, OVERLAPS, LINKS, COUNTS, KIND, DEPTH, QUOTED, NAME, NAME_LENGTH, VALUE, VALUE_LENGTH, KEY_WORDS, MAX_KEYS, MICROSECONDS_FROM, LATEST_STAMP

cdef class UpdateLayout:
    cdef bytes start
    cdef long long quotes
    cdef long long latest
    cdef long long first_side
    cdef long long depth
    cdef long long rule
    cdef bint has_actions
    cdef long long count
    cdef long long needed
    cdef long long[::1] keys
    cdef bytes names
