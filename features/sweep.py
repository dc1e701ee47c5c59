"""The one executor: a sweep through each lead's events and landmarks together. The only code that compares event times with as_of.

Every event is read once when it becomes known and once when it leaves each window; counts are differences of running totals, values are summed
as int64 millionths, so adding and taking away is exact whatever the order. Cost: O(events x windows + rows x features), free of window length.
"""

import math

import numpy as np
from numba import njit

DAY_MICROS = 86_400_000_000
HOUR_MICROS = 3_600_000_000
NO_VALUE = np.iinfo(np.int64).min
"""The code of an event without a value, in millionths."""

OPS = (
    "count",  # events of the slot in the window
    "recency",  # days since the slot's latest event; nan: none yet
    "since_first",  # days since the slot's first event; nan: none yet
    "active_days",  # distinct UTC days with an event of any type in the window
    "trend",  # ln((count in window + 1/2) / (count in other window, scaled to the same length, + 1/2))
    "share",  # the slot's part of the other slot's events in the window; nan: the other has none
    "value_sum",  # sum of the slot's values in the window
    "value_mean",  # mean of the slot's values in the window; nan: no value
    "first_is",  # 1 if the lead's first event is of the slot, 0 if not; nan: no event
    "last_is",  # 1 if the lead's latest event is of the slot, 0 if not; nan: no event
    "tenure",  # days since created_at
    "time_in_stage",  # days since the current stage was entered
    "time_before_stage",  # days from created_at to the entry of the current stage
    "entries",  # stage entries so far, exits not counted
    "exits",  # times the lead has left the funnel
    "returns",  # earlier spells in the current stage
    "entry_hour",  # UTC hour, with fraction, at which the current stage was entered
    "entry_weekday",  # UTC weekday at which the current stage was entered, Monday = 0
)
OP = {name: code for code, name in enumerate(OPS)}
_COUNT, _RECENCY, _SINCE_FIRST, _ACTIVE_DAYS, _TREND, _SHARE, _VALUE_SUM, _VALUE_MEAN, _FIRST_IS, _LAST_IS = range(10)
_TENURE, _TIME_IN_STAGE, _TIME_BEFORE, _ENTRIES, _EXITS, _RETURNS, _ENTRY_HOUR, _ENTRY_WEEKDAY = range(10, 18)


@njit(cache=True, inline="always")
def _later(time, kind, value, i, j):  # type: ignore[no-untyped-def]
    if time[i] != time[j]:
        return time[i] > time[j]
    if kind[i] != kind[j]:
        return kind[i] > kind[j]
    return value[i] > value[j]


@njit(cache=True)
def _sort_run(order, time, kind, value, low, high):  # type: ignore[no-untyped-def]
    """Insertion sort of a short run or of one that is sorted already; a heap sort of a long one. Ties are broken by type, then value: rows may come
    in any order."""
    if high - low <= 48 or _is_sorted(order, time, kind, value, low, high):
        for i in range(low + 1, high):
            row = order[i]
            j = i - 1
            while j >= low and _later(time, kind, value, order[j], row):
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = row
        return
    size = high - low
    for start in range(size // 2 - 1, -1, -1):
        _sift(order, time, kind, value, low, start, size)
    for end in range(size - 1, 0, -1):
        order[low], order[low + end] = order[low + end], order[low]
        _sift(order, time, kind, value, low, 0, end)


@njit(cache=True)
def _is_sorted(order, time, kind, value, low, high):  # type: ignore[no-untyped-def]
    i = low + 1
    while i < high and not _later(time, kind, value, order[i - 1], order[i]):
        i += 1
    return i >= high


@njit(cache=True)
def _sift(order, time, kind, value, low, root, size):  # type: ignore[no-untyped-def]
    while True:
        child = 2 * root + 1
        if child >= size:
            return
        if child + 1 < size and _later(time, kind, value, order[low + child + 1], order[low + child]):
            child += 1
        if not _later(time, kind, value, order[low + child], order[low + root]):
            return
        order[low + root], order[low + child] = order[low + child], order[low + root]
        root = child


@njit(cache=True)
def sort_by_lead(leads, lead, time, kind, value):  # type: ignore[no-untyped-def]
    """Rows in any order -> (start (leads+1,), time, kind, value) sorted by (lead, time, kind, value): a counting sort by lead, then short runs.
    Rows whose lead or kind is negative are left out."""
    start = np.zeros(leads + 1, np.int64)
    for i in range(lead.size):
        if lead[i] >= 0 and kind[i] >= 0:
            start[lead[i] + 1] += 1
    for i in range(leads):
        start[i + 1] += start[i]
    place = start[:-1].copy()
    order = np.empty(start[leads], np.int64)
    for i in range(lead.size):
        if lead[i] >= 0 and kind[i] >= 0:
            order[place[lead[i]]] = i
            place[lead[i]] += 1
    for i in range(leads):
        _sort_run(order, time, kind, value, start[i], start[i + 1])
    return start, time[order], kind[order], value[order]


@njit(cache=True)
def standing(start, time, lead, as_of):  # type: ignore[no-untyped-def]
    """Index into `time` of the last row of `lead` at or before as_of, -1 if none: one at as_of counts, one a microsecond later does not."""
    out = np.empty(lead.size, np.int64)
    for i in range(lead.size):
        low, high = start[lead[i]], start[lead[i] + 1]
        while low < high:
            middle = (low + high) // 2
            if time[middle] <= as_of[i]:
                low = middle + 1
            else:
                high = middle
        out[i] = low - 1 if low > start[lead[i]] else -1
    return out


@njit(cache=True)
def sweep(created, event_start, event_time, event_type, event_value, stage_start, stage_time, stage_code, stages, slots, member, windows,  # type: ignore[no-untyped-def]
          op, slot, window, other, spine_lead, spine_as_of, out):  # fmt: skip
    """Fills out[:, :op.size] for a spine sorted by (lead, as_of). Windows are (as_of - window, as_of]; the last window is the current stage's
    own: [its entry, as_of]; `ever` is window -1: everything up to as_of."""
    n_windows = windows.size + 1
    count = np.empty((n_windows + 1, slots), np.int64)  # row 0: all up to as_of; row 1 + w: what has left window w
    total = np.empty((n_windows + 1, slots), np.int64)
    valued = np.empty((n_windows + 1, slots), np.int64)
    first, last = np.empty(slots, np.int64), np.empty(slots, np.int64)
    tail, tail_day, tail_days = (
        np.empty(n_windows, np.int64),
        np.empty(n_windows, np.int64),
        np.empty(n_windows, np.int64),
    )
    never = np.iinfo(np.int64).min
    row = 0
    while row < spine_lead.size:
        lead = spine_lead[row]
        count[:] = 0
        total[:] = 0
        valued[:] = 0
        first[:] = never
        last[:] = never
        begin, end = event_start[lead], event_start[lead + 1]
        tail[:] = begin
        tail_day[:] = never
        tail_days[:] = 0
        head, head_day, days = begin, never, 0
        first_type, last_type = -1, -1
        at, stage_end = stage_start[lead], stage_start[lead + 1]
        entries, exits, stage, entered = 0, 0, -1, created[lead]
        while row < spine_lead.size and spine_lead[row] == lead:
            as_of = spine_as_of[row]
            while at < stage_end and stage_time[at] <= as_of:
                stage, entered = stage_code[at], stage_time[at]
                if stage >= stages:
                    exits += 1
                else:
                    entries += 1
                at += 1
            while head < end and event_time[head] <= as_of:
                kind, value = event_type[head], event_value[head]
                for k in range(member.shape[1]):
                    s = member[kind, k]
                    if s >= 0:
                        count[0, s] += 1
                        if value != NO_VALUE:
                            total[0, s] += value
                            valued[0, s] += 1
                        if first[s] == never:
                            first[s] = event_time[head]
                        last[s] = event_time[head]
                if first_type < 0:
                    first_type = kind
                last_type = kind
                day = event_time[head] // DAY_MICROS
                if day != head_day:
                    days += 1
                    head_day = day
                head += 1
            for w in range(n_windows):
                # the stage's own window is closed at its start: an event at the entry counts
                edge = as_of - windows[w] if w < windows.size else entered - 1
                while tail[w] < head and event_time[tail[w]] <= edge:
                    i = tail[w]
                    kind, value = event_type[i], event_value[i]
                    for k in range(member.shape[1]):
                        s = member[kind, k]
                        if s >= 0:
                            count[1 + w, s] += 1
                            if value != NO_VALUE:
                                total[1 + w, s] += value
                                valued[1 + w, s] += 1
                    day = event_time[i] // DAY_MICROS
                    if day != tail_day[w]:
                        tail_days[w] += 1
                        tail_day[w] = day
                    tail[w] = i + 1
            for f in range(op.size):
                code, s, w, o = op[f], slot[f], window[f], other[f]
                x = math.nan
                if code == _COUNT:
                    x = float(count[0, s] - (count[1 + w, s] if w >= 0 else 0))
                elif code == _RECENCY:
                    if last[s] != never:
                        x = (as_of - last[s]) / DAY_MICROS
                elif code == _SINCE_FIRST:
                    if first[s] != never:
                        x = (as_of - first[s]) / DAY_MICROS
                elif code == _ACTIVE_DAYS:
                    x = float(days)
                    if w >= 0:
                        x = 0.0
                        if tail[w] < head:
                            x = float(days - tail_days[w])
                            if event_time[tail[w]] // DAY_MICROS == tail_day[w]:
                                x += 1.0  # the window opens within a day that has events on both sides
                elif code == _TREND:
                    short = count[0, s] - count[1 + w, s]
                    long = count[0, s] - count[1 + o, s]
                    x = math.log((short + 0.5) / (long * (windows[w] / windows[o]) + 0.5))
                elif code == _SHARE:
                    of = count[0, o] - (count[1 + w, o] if w >= 0 else 0)
                    if of > 0:
                        x = (count[0, s] - (count[1 + w, s] if w >= 0 else 0)) / of
                elif code == _VALUE_SUM:
                    x = (total[0, s] - (total[1 + w, s] if w >= 0 else 0)) / 1e6
                elif code == _VALUE_MEAN:
                    of = valued[0, s] - (valued[1 + w, s] if w >= 0 else 0)
                    if of > 0:
                        x = (total[0, s] - (total[1 + w, s] if w >= 0 else 0)) / 1e6 / of
                elif code == _FIRST_IS:
                    if first_type >= 0:
                        x = 1.0 if first_type == s else 0.0
                elif code == _LAST_IS:
                    if last_type >= 0:
                        x = 1.0 if last_type == s else 0.0
                elif code == _TENURE:
                    x = (as_of - created[lead]) / DAY_MICROS
                elif code == _TIME_IN_STAGE:
                    x = (as_of - entered) / DAY_MICROS
                elif code == _TIME_BEFORE:
                    x = (entered - created[lead]) / DAY_MICROS
                elif code == _ENTRIES:
                    x = float(entries)
                elif code == _EXITS:
                    x = float(exits)
                elif code == _RETURNS:
                    x = -1.0
                    for i in range(stage_start[lead], at):
                        if stage_code[i] == stage:
                            x += 1.0
                elif code == _ENTRY_HOUR:
                    x = (entered % DAY_MICROS) / HOUR_MICROS
                elif code == _ENTRY_WEEKDAY:
                    x = float((entered // DAY_MICROS + 3) % 7)
                out[row, f] = x
            row += 1


@njit(cache=True)
def _without_repeats(start, time, code, as_of):  # type: ignore[no-untyped-def]
    """Sorted stage rows (`start` delimits the leads) without those of the stage a lead already stands in, in place -> each lead's stage at its
    instant, -1 before its first row."""
    standing_in = np.full(as_of.size, -1)
    begin, kept = 0, 0
    for lead in range(as_of.size):
        end = start[lead + 1]
        for i in range(begin, end):
            if i == begin or code[i] != code[i - 1]:
                time[kept], code[kept] = time[i], code[i]
                if time[kept] <= as_of[lead]:
                    standing_in[lead] = code[kept]
                kept += 1
        begin, start[lead + 1] = end, kept
    return standing_in


@njit(cache=True)
def sweep_told(told, value, stages, slots, member, windows, op, slot, window, other, out):  # type: ignore[no-untyped-def]
    """`sweep` of leads told one by one, at one instant each, out of one line of numbers: for each row of `out` the instants of creation and of
    knowledge, how many events and entries, then the events' times and types, then the entries' times and stages. `value` (events,) is nan for
    none. Rows in any order; an event of a type below 0 is left out. Returns each lead's stage, -1 before its creation.
    """
    leads, events = len(out), value.size
    created, as_of, every = np.empty(leads, np.int64), np.empty(leads, np.int64), np.arange(leads)
    of_event, of_entry = np.empty(events, np.int64), np.empty((told.size - 4 * leads) // 2 - events + leads, np.int64)
    time, kind, millionths = np.empty(events, np.int64), np.empty(events, np.int16), np.empty(events, np.int64)
    entered, code = np.empty(of_entry.size, np.int64), np.empty(of_entry.size, np.int16)
    at, event, entry = 0, 0, 0
    for lead in range(leads):
        created[lead], as_of[lead], heard, stood = told[at], told[at + 1], told[at + 2], told[at + 3]
        at += 4
        for i in range(heard):
            of_event[event], time[event], kind[event] = lead, told[at + i], told[at + heard + i]
            millionths[event] = NO_VALUE if math.isnan(value[event]) else np.int64(np.rint(value[event] * 1e6))
            event += 1
        at += 2 * heard
        of_entry[entry], entered[entry], code[entry] = lead, created[lead], 0
        for i in range(stood):
            entry += 1
            of_entry[entry], entered[entry], code[entry] = lead, max(told[at + i], created[lead]), told[at + stood + i]
        at, entry = at + 2 * stood, entry + 1
    event_start, time, kind, millionths = sort_by_lead(leads, of_event, time, kind, millionths)
    stage_start, entered, code, _ = sort_by_lead(leads, of_entry, entered, code, np.zeros(of_entry.size, np.int64))
    standing_in = _without_repeats(stage_start, entered, code, as_of)
    sweep(created, event_start, time, kind, millionths, stage_start, entered, code, stages, slots, member, windows, op, slot, window, other,
          every, as_of, out)  # fmt: skip
    return standing_in
