"""The moderator as a pure machine: events and verdicts in; events and commands out. This page is its theory.

**The words.** A *lane* is one text as the model writes it: a content part, a refusal, the arguments of one call. A
*window* is the piece of a lane that one check judges, with text before it as *context*. A *check* of the list sees
all windows of a lane as one *stage*: the first stage takes its windows from the text that arrives, each other one from
what the stage before it let through. A *call* asks a check about a window; the same window may be asked about again,
after a failure, or with more text if the answer was "suspect". A *leaf* is one text in the JSON of an event. A *side
text* is a leaf that no lane of the API collects: the title of a citation, an unknown field. It is put into a lane that
was made for such texts, so there is one way to check a text, and not two.

**An event** is read by what the API says of its type (`_routes`), and each of its strings and numbers is either on a
short list of structure (`_structure`) or a leaf. A delta adds to its lane. Every other event becomes a *held event*
with *fragments*: which lane has each of its leaves, and from where to where. The API sends a text up to five times.
What repeats the text of a lane points into that lane, and is not checked again; what differs from it is a *version*, a
lane of its own. A text that no lane has yet is added to one.

**A held event leaves** when all its fragments are safe, in the order of its item (`_queue`); deltas leave in part, as
far as their text is safe. If a fragment was edited meanwhile, the event is made anew with the edited text
(`_rendering`). Snapshots of the response before the output go first, `error` events after all items, and the terminal
event last. Three kinds of events wait for nothing: later snapshots, which are emitted with the text that was released;
events of other operators; and in mode `optimistic` all events but those that end a call. These wait in every mode,
also for text of the call that they do not repeat, because a tool may run then.

**A verdict** moves its stage on (`_stage`). A window that passed moves `verified`; what may be the beginning of a match
is held back behind it; what is left is `safe`, and goes to the next stage. A text is safe when the last stage says so.
A window that is flagged, or whose check failed, stops its stage until the moderator has acted (`_machine`): edited
(`replace`, `drop`) or accepted (`annotate`, `pass`) it counts as passed; `cut`, `error` and `refuse` end the stream. An
ending waits until the later stages have judged what came before the flagged window, so that all text before it that
passed is released.

**The end.** After a cut, text that was shown and is not safe is retracted, and events made of what was emitted close
what is open (`_emitted_state`). When the source completes, all lanes are closed: their last windows are checked, and
the stream completes with the last verdict. When it fails, what is held is dropped, and its error waits for the verdict
on its own message. A second response in the stream has its own lanes and queues; it waits for the end of the first.

**What always holds**, whatever a check answers, and whenever:

* Offsets count characters of one lane and never fall: `safe <= verified <= windows_end <= length` for each stage.
* In mode `hold` nothing is emitted that is neither structure nor safe. A fault in this machine ends the stream.
* What is held is counted (`Outbox.held`). Above `max_buffer` the source is paused, or `on_check_error` decides.
* Nothing here reads a clock, waits or calls a check. Each input returns its outputs, in order; each call that started
  is answered or cancelled, and has one record.

**The files, bottom up.** Values: `_window`, `_options`, `_events`, `_commands`. Text: `_text` (decoded, with the way
back to what was written), `_edits` (what was replaced), `_boundaries` (where text may be divided). One lane:
`_lane_windows`, `_stage`, `_lane`. Events: `_structure`, `_routes`, `_queue`, `_rendering`. One response: `_lanes`,
`_response_texts`, `_release`, `_emitted_state`, `_response`. The stream: `_errors`, `_check_calls`, `_machine`.
"""
