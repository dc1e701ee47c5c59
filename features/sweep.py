"""The one executor: a sweep through each lead's events and landmarks together. The only code that compares event times with as_of.

Every event is read once when it becomes known; what it adds is remembered as running totals, so that the count of a window is the difference of the
totals at its ends. Values are summed as int64 millionths: exact whatever the order. Cost: O(events x slots + rows x (windows x slots + features)),
free of window length, with LANES slots at once; `returns` walks the stage rows of a row's lead, which are few. Memory: 4 bytes a slot and some 20
more for each event of the one lead that has most.
"""

import math

import numpy as np
from numba import njit

from data.contract import DAY, HOUR
from features.lanes import AHEAD, LANES, add, leading, subtract
from features.sorting import sort_each

ANSWER_MICROS = 3 * DAY
"""An answer later than this after the outreach is no longer one to it."""
OUTREACH, ANSWER = 1, 2
"""The roles of an event: to the lead, from the lead; 0: neither."""
MEMO, MEMO_FROM = 48, 2048
"""Logarithms of counts below MEMO are made beforehand, from so many rows on."""
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
    "gap_mean",  # mean days between neighbouring events of the slot; nan: below 2 events
    "gap_longest",  # most days between neighbouring events of the slot; nan: below 2 events
    "burstiness",  # (s - m) / (s + m) of those gaps' standard deviation and mean; nan: below 3 events, or all at one instant [Goh & Barabasi 2008]
    "bursts",  # maximal runs of 3 or more events of the slot, at most an hour between neighbours
    "burst_recency",  # days since the latest event of the latest such run; nan: none yet
    "distinct",  # how many of the slots from this one on, `other` in number, have an event in the window
    "entropy",  # Shannon entropy, nats, of those slots' counts in the window; nan: no event
    "answered",  # outreach followed strictly later, within 3 days (closed), by an answer
    "answered_share",  # its part of all outreach; nan: none yet
    "answer_days",  # mean days from an answered outreach to its first answer; nan: none yet
    "unanswered",  # outreach strictly later than the latest answer
    "tenure",  # days since created_at
    "time_in_stage",  # days since the current stage was entered
    "time_before_stage",  # days from created_at to the entry of the current stage
    "entries",  # stage entries so far, exits not counted
    "exits",  # times the lead has left the funnel
    "returns",  # earlier spells in the current stage
    "furthest",  # 1 + code of the furthest stage stood in so far; 0: none yet
    "since_exit",  # days since the latest exit was entered; nan: none yet
    "days_out",  # days spent in exits so far
    "entry_hour",  # UTC hour, with fraction, at which the current stage was entered
    "entry_weekday",  # UTC weekday at which the current stage was entered, Monday = 0
)
OP = {name: code for code, name in enumerate(OPS)}
_COUNT, _RECENCY, _SINCE_FIRST, _ACTIVE_DAYS, _TREND, _SHARE, _VALUE_SUM, _VALUE_MEAN, _FIRST_IS, _LAST_IS = range(10)
_GAP_MEAN, _GAP_LONGEST, _BURSTINESS, _BURSTS, _BURST_RECENCY, _DISTINCT, _ENTROPY = range(10, 17)
_ANSWERED, _ANSWERED_SHARE, _ANSWER_DAYS, _UNANSWERED = range(17, 21)
_TENURE, _TIME_IN_STAGE, _TIME_BEFORE, _ENTRIES, _EXITS, _RETURNS, _FURTHEST, _SINCE_EXIT, _DAYS_OUT, _ENTRY_HOUR, _ENTRY_WEEKDAY = range(21, 32)
RHYTHM = (_GAP_MEAN, _GAP_LONGEST, _BURSTINESS, _BURSTS, _BURST_RECENCY)
WORTH = (_VALUE_SUM, _VALUE_MEAN)
"""What asks for the gaps of its slot; what asks for its values."""


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(created, event_start, event_time, event_kind, event_value, stage_start, stage_time, stage_code, stages,  # type: ignore[no-untyped-def]
          kinds, adds, worths, rhythms, windows, bounds, steps, spine_lead, spine_as_of, begin, end, out):  # fmt: skip
    """Fills out[begin:end] for a spine sorted by (lead, as_of). Windows are (as_of - window, as_of]; the last but one is the current stage's own:
    [its entry, as_of]; the last is `ever`: everything up to as_of.

    Of each kind of event: kinds (kinds, 1 + k), its role and the slots it counts in; adds (kinds, slots), what it adds to their counts; worths
    (kinds, j), the sums that its value joins; rhythms (kinds, r), the slots whose gaps are asked for. All are filled up with one that nobody reads.
    bounds (ops + 1,): where each op's features lie among `steps` (features, 5): column of out, slot, window, other (of values their sum), and the
    place of (window, slot) among all such (of a trend that of its pair of windows among those asked for).
    """
    slots, n_windows, width, values = adds.shape[1], windows.size + 1, kinds.shape[1], worths.shape[1]
    sums = np.int64(0)
    for f in range(bounds[_VALUE_SUM], bounds[_VALUE_MEAN + 1]):
        sums = np.int64(max(sums, steps[f, 3] + 2))  # and nobody's
    never, ever = np.iinfo(np.int64).min, n_windows + 1
    # one array, cut up: of few leads, asking for memory costs more than the sweep
    numbers, instants = np.empty((ever + 2, slots), np.int32), np.empty((6, slots))
    counts, run, bursts = numbers[:ever], numbers[-2], numbers[-1]
    # as numbers with a nan: exact to the microsecond until the year 2255
    first, last, burst_last, longest, gap_mean, gap_squares = instants[0], instants[1], instants[2], instants[3], instants[4], instants[5]
    small = MEMO if end - begin > MEMO_FROM else 0
    trends, surprises = _remembered(windows, bounds, steps, small)
    tail, flat, most = np.empty(ever, np.int64), counts.ravel(), event_time.size - AHEAD
    longest_run = 0
    row = begin
    while row < end:
        lead = spine_lead[row]
        longest_run = max(longest_run, event_start[lead + 1] - event_start[lead])
        row += 1
    # after a lead's first i events: how many of each slot, on how many days; after the first j events of one sum, its values and how many they are
    held, days = np.empty((longest_run + 1, slots), np.int32), np.empty(longest_run + 2, np.int32)
    worth, joined = np.empty((sums, values * longest_run + 1, 2), np.int64), np.empty(sums, np.int64)
    held[0], days[0], worth[:, 0] = 0, 0, 0
    row = begin
    while row < end:
        lead = spine_lead[row]
        numbers[:] = 0
        joined[:] = 0
        run[:] = 1
        instants[:3] = math.nan
        instants[3:] = 0.0
        origin, final = event_start[lead], event_start[lead + 1]
        tail[:] = origin
        head, reply, day = origin, origin, never
        first_slot, last_slot = -1, -1
        outreach, answered, waited, unanswered, last_answer = 0, 0, 0, 0, never
        at, stage_end = stage_start[lead], stage_start[lead + 1]
        entries, exits, stage, entered, furthest, out_micros, last_exit = 0, 0, -1, created[lead], 0, 0, never
        while row < end and spine_lead[row] == lead:
            as_of = spine_as_of[row]
            while at < stage_end and stage_time[at] <= as_of:
                if stage >= stages:
                    out_micros += stage_time[at] - entered
                stage, entered = stage_code[at], stage_time[at]
                if stage >= stages:
                    exits += 1
                    last_exit = entered
                else:
                    entries += 1
                    furthest = max(furthest, stage + 1)
                at += 1
            while head < final and event_time[head] <= as_of:
                time, kind, value, i = event_time[head], np.uint16(event_kind[head]), event_value[head], head - origin
                for k in range(rhythms.shape[1]):
                    s = rhythms[kind, k]
                    if held[i, s]:
                        gap = time - last[s]
                        longest[s] = max(longest[s], gap)
                        off = gap - gap_mean[s]
                        gap_mean[s] += off / held[i, s]
                        gap_squares[s] += off * (gap - gap_mean[s])
                        run[s] = run[s] + 1 if gap <= HOUR else 1
                        if run[s] >= 3:
                            bursts[s] += run[s] == 3
                            burst_last[s] = time
                instant = np.float64(time)
                for k in range(1, width):
                    s = kinds[kind, k]
                    first[s] = first[s] if first[s] <= instant else instant
                    last[s] = instant
                there = value != NO_VALUE
                for k in range(values):
                    v = worths[kind, k]
                    joined[v] += 1
                    worth[v, joined[v], 0] = worth[v, joined[v] - 1, 0] + (value if there else 0)
                    worth[v, joined[v], 1] = worth[v, joined[v] - 1, 1] + there
                last_slot = kinds[kind, 1]
                if head == origin:
                    first_slot = last_slot
                role = kinds[kind, 0]
                if role == OUTREACH:
                    outreach += 1
                    if time > last_answer:
                        unanswered += 1
                elif role == ANSWER:
                    while event_time[reply] < time:
                        if kinds[event_kind[reply], 0] == OUTREACH and time - event_time[reply] <= ANSWER_MICROS:
                            answered += 1
                            waited += time - event_time[reply]
                        reply += 1
                    if time > last_answer:
                        unanswered = 0
                    last_answer = time
                for s in range(0, slots, LANES):
                    add(held, i * slots + s, adds, np.int64(kind) * slots + s, held, (i + 1) * slots + s)
                days[i + 1] = days[i] + (time // DAY != day)
                day = time // DAY
                head += 1
            heard = held[head - origin]
            for w in range(n_windows):
                # the stage's own window is closed at its start: an event at the entry counts
                edge = as_of - windows[w] if w < windows.size else entered - 1
                i = tail[w]
                while i < head and i <= most:
                    passed = min(leading(event_time, i, edge), head - i)
                    i += passed
                    if passed < AHEAD:
                        break
                while i < head and i > most and event_time[i] <= edge:
                    i += 1
                tail[w] = i
                for s in range(0, slots, LANES):
                    subtract(held, (head - origin) * slots + s, held, (i - origin) * slots + s, counts, w * slots + s)
            counts[n_windows] = heard
            line = out[row]
            for f in range(bounds[_COUNT], bounds[_COUNT + 1]):
                line[steps[f, 0]] = flat[steps[f, 4]]
            for f in range(bounds[_RECENCY], bounds[_RECENCY + 1]):
                line[steps[f, 0]] = (as_of - last[steps[f, 1]]) / DAY
            for f in range(bounds[_SINCE_FIRST], bounds[_SINCE_FIRST + 1]):
                line[steps[f, 0]] = (as_of - first[steps[f, 1]]) / DAY
            for f in range(bounds[_ACTIVE_DAYS], bounds[_ACTIVE_DAYS + 1]):
                i, h = tail[steps[f, 2]] - origin, head - origin
                # the window may open within a day that has events on both sides
                line[steps[f, 0]] = days[h] - days[i] + (i < h and days[i + 1] == days[i])
            for f in range(bounds[_TREND], bounds[_TREND + 1]):
                s, w, o = steps[f, 1], steps[f, 2], steps[f, 3]
                short, long = counts[w, s], counts[o, s]
                line[steps[f, 0]] = trends[steps[f, 4], long, short] if max(short, long) < small else _trend(short, long, windows[w] / windows[o])
            for f in range(bounds[_SHARE], bounds[_SHARE + 1]):
                s, w, o = steps[f, 1], steps[f, 2], steps[f, 3]
                of = counts[w, o]
                line[steps[f, 0]] = counts[w, s] / of if of else math.nan
            for f in range(bounds[_VALUE_SUM], bounds[_VALUE_SUM + 1]):
                v, j = steps[f, 3], heard[steps[f, 1]]
                line[steps[f, 0]] = (worth[v, j, 0] - worth[v, j - flat[steps[f, 4]], 0]) / 1e6
            for f in range(bounds[_VALUE_MEAN], bounds[_VALUE_MEAN + 1]):
                v, j = steps[f, 3], heard[steps[f, 1]]
                i = j - flat[steps[f, 4]]
                of = worth[v, j, 1] - worth[v, i, 1]
                line[steps[f, 0]] = (worth[v, j, 0] - worth[v, i, 0]) / 1e6 / of if of else math.nan
            for f in range(bounds[_FIRST_IS], bounds[_FIRST_IS + 1]):
                line[steps[f, 0]] = (1.0 if first_slot == steps[f, 1] else 0.0) if first_slot >= 0 else math.nan
            for f in range(bounds[_LAST_IS], bounds[_LAST_IS + 1]):
                line[steps[f, 0]] = (1.0 if last_slot == steps[f, 1] else 0.0) if last_slot >= 0 else math.nan
            for f in range(bounds[_GAP_MEAN], bounds[_GAP_MEAN + 1]):
                s = steps[f, 1]
                line[steps[f, 0]] = (last[s] - first[s]) / (heard[s] - 1) / DAY if heard[s] >= 2 else math.nan
            for f in range(bounds[_GAP_LONGEST], bounds[_GAP_LONGEST + 1]):
                s = steps[f, 1]
                line[steps[f, 0]] = longest[s] / DAY if heard[s] >= 2 else math.nan
            for f in range(bounds[_BURSTINESS], bounds[_BURSTINESS + 1]):
                s = steps[f, 1]
                x = math.nan
                if heard[s] >= 3 and last[s] > first[s]:
                    deviation, mean = math.sqrt(gap_squares[s] / (heard[s] - 1)), (last[s] - first[s]) / (heard[s] - 1)
                    x = (deviation - mean) / (deviation + mean)
                line[steps[f, 0]] = x
            for f in range(bounds[_BURSTS], bounds[_BURSTS + 1]):
                line[steps[f, 0]] = bursts[steps[f, 1]]
            for f in range(bounds[_BURST_RECENCY], bounds[_BURST_RECENCY + 1]):
                line[steps[f, 0]] = (as_of - burst_last[steps[f, 1]]) / DAY
            for f in range(bounds[_DISTINCT], bounds[_DISTINCT + 1]):
                w, x = steps[f, 2], 0
                for s in range(steps[f, 1], steps[f, 1] + steps[f, 3]):
                    x += counts[w, s] > 0
                line[steps[f, 0]] = x
            for f in range(bounds[_ENTROPY], bounds[_ENTROPY + 1]):
                w, of = steps[f, 2], 0
                for s in range(steps[f, 1], steps[f, 1] + steps[f, 3]):
                    of += counts[w, s]
                x = 0.0 if of else math.nan
                for s in range(steps[f, 1], steps[f, 1] + steps[f, 3]):
                    n = counts[w, s]
                    if n:
                        x -= surprises[of, n] if of < small else _surprise(n, of)
                line[steps[f, 0]] = x
            for f in range(bounds[_ANSWERED], bounds[_ANSWERED + 1]):
                line[steps[f, 0]] = answered
            for f in range(bounds[_ANSWERED_SHARE], bounds[_ANSWERED_SHARE + 1]):
                line[steps[f, 0]] = answered / outreach if outreach else math.nan
            for f in range(bounds[_ANSWER_DAYS], bounds[_ANSWER_DAYS + 1]):
                line[steps[f, 0]] = waited / answered / DAY if answered else math.nan
            for f in range(bounds[_UNANSWERED], bounds[_UNANSWERED + 1]):
                line[steps[f, 0]] = unanswered
            for f in range(bounds[_TENURE], bounds[_TENURE + 1]):
                line[steps[f, 0]] = (as_of - created[lead]) / DAY
            for f in range(bounds[_TIME_IN_STAGE], bounds[_TIME_IN_STAGE + 1]):
                line[steps[f, 0]] = (as_of - entered) / DAY
            for f in range(bounds[_TIME_BEFORE], bounds[_TIME_BEFORE + 1]):
                line[steps[f, 0]] = (entered - created[lead]) / DAY
            for f in range(bounds[_ENTRIES], bounds[_ENTRIES + 1]):
                line[steps[f, 0]] = entries
            for f in range(bounds[_EXITS], bounds[_EXITS + 1]):
                line[steps[f, 0]] = exits
            for f in range(bounds[_RETURNS], bounds[_RETURNS + 1]):
                x = -1
                for i in range(stage_start[lead], at):
                    x += stage_code[i] == stage
                line[steps[f, 0]] = x
            for f in range(bounds[_FURTHEST], bounds[_FURTHEST + 1]):
                line[steps[f, 0]] = furthest
            for f in range(bounds[_SINCE_EXIT], bounds[_SINCE_EXIT + 1]):
                line[steps[f, 0]] = (as_of - last_exit) / DAY if exits else math.nan
            for f in range(bounds[_DAYS_OUT], bounds[_DAYS_OUT + 1]):
                line[steps[f, 0]] = (out_micros + (as_of - entered if stage >= stages else 0)) / DAY
            for f in range(bounds[_ENTRY_HOUR], bounds[_ENTRY_HOUR + 1]):
                line[steps[f, 0]] = (entered % DAY) / HOUR
            for f in range(bounds[_ENTRY_WEEKDAY], bounds[_ENTRY_WEEKDAY + 1]):
                line[steps[f, 0]] = (entered // DAY + 3) % 7
            row += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _trend(short, long, scale):  # type: ignore[no-untyped-def]
    return math.log((short + 0.5) / (long * scale + 0.5))


@njit(cache=True, nogil=True, error_model="numpy")
def _surprise(n, of):  # type: ignore[no-untyped-def]
    return n / of * math.log(n / of)


@njit(cache=True, nogil=True, error_model="numpy")
def _remembered(windows, bounds, steps, small):  # type: ignore[no-untyped-def]
    """What `_trend` (pairs of windows, small, small) and `_surprise` (small, small) give for counts below `small`."""
    pairs = np.int64(0)
    for f in range(bounds[_TREND], bounds[_TREND + 1]):
        pairs = np.int64(max(pairs, steps[f, 4] + 1))
    trends, surprises, known = np.empty((pairs, small, small), np.float32), np.empty((small, small)), np.zeros(pairs, np.bool_)
    for f in range(bounds[_TREND], bounds[_TREND + 1]):
        if not known[steps[f, 4]]:
            for long in range(small):
                for short in range(small):
                    trends[steps[f, 4], long, short] = _trend(short, long, windows[steps[f, 2]] / windows[steps[f, 3]])
            known[steps[f, 4]] = True
    for of in range(1, small):
        for n in range(1, of + 1):
            surprises[of, n] = _surprise(n, of)
    return trends, surprises


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True, error_model="numpy")
def sweep_told(told, value, stages, kinds, adds, worths, rhythms, windows, bounds, steps, out):  # type: ignore[no-untyped-def]
    """`sweep` of leads told one by one, at one instant each, out of one line of numbers: for each row of `out` the instants of creation and of
    knowledge, how many events and entries, then the events' times and kinds, then the entries' times and stages. `value` (events,) is nan for
    none. Rows in any order; an event of a kind below 0 is left out. Returns each lead's stage, -1 before its creation.
    """
    leads, entries = len(out), (told.size - 2 * len(out)) // 2 - value.size
    created, as_of, every = np.empty(leads, np.int64), np.empty(leads, np.int64), np.arange(leads)
    events, stays = np.empty((value.size, 3), np.int64), np.empty((entries, 3), np.int64)
    event_start, stage_start = np.zeros(leads + 1, np.int64), np.zeros(leads + 1, np.int64)
    at, first, event, entry = 0, 0, 0, 0
    for lead in range(leads):
        created[lead], as_of[lead], heard, stood = told[at], told[at + 1], told[at + 2], told[at + 3]
        at += 4
        for i in range(heard):
            x, kind = value[first + i], told[at + heard + i]
            if kind >= 0:
                events[event, 0], events[event, 2] = told[at + i], kind
                events[event, 1] = NO_VALUE if math.isnan(x) else np.int64(np.rint(x * 1e6))
                event += 1
        at, first = at + 2 * heard, first + heard
        stays[entry, 0], stays[entry, 1], stays[entry, 2] = created[lead], 0, 0
        entry += 1
        for i in range(stood):
            stays[entry, 0], stays[entry, 1], stays[entry, 2] = max(told[at + i], created[lead]), 0, told[at + stood + i]
            entry += 1
        at += 2 * stood
        event_start[lead + 1], stage_start[lead + 1] = event, entry
    time, kind, millionths = sort_each(events, event_start)
    entered, code, _ = sort_each(stays, stage_start)
    standing_in = _without_repeats(stage_start, entered, code, as_of)
    # not a plain 0: numba would compile the sweep once more for that very number
    sweep(created, event_start, time, kind, millionths, stage_start, entered, code, stages, kinds, adds, worths, rhythms, windows, bounds,
          steps, every, as_of, np.int64(0), leads, out)  # fmt: skip
    return standing_in
