"""Every text the app shows, in English, by the name of its use.

Translations of this table lie in app/translations; `app.strings` picks one. Words in braces are filled in: they must
appear in every translation, in any order. Texts are short, since they stand on buttons of 48 dp.
"""

from __future__ import annotations

TEXTS: dict[str, str] = {
    # ---- the window and its panes
    "title": "LeNet-5 reads your digits",
    "tab_draw": "Draw",
    "tab_answer": "Answer",
    "tab_inside": "Inside",
    "tab_teach": "Teach",
    "tab_more": "More",
    # ---- tools under the canvas
    "undo": "Undo",
    "redo": "Redo",
    "erase": "Eraser",
    "clear": "Clear",
    "number": "Number",
    # ---- the answer
    "hint_draw": "Draw a digit",
    "hint_number": "Write a number",
    "sure": "{percent} % sure",
    "probably": "Probably: {percent} %",
    "either": "{first} or {second}?",
    "either_why": "{first}: {percent} %, {second}: {other} %. The two are close.",
    "not_digit": "Not a digit",
    "why_unlike": "It looks like none of the digits I learned from.",
    "why_unsure": "No digit stands out: the best, {first}, has {percent} %.",
    "why_scribble": "Too much ink for a digit.",
    "why_dot": "Only a dot.",
    "why_bars": "Only a line across.",
    "why_many": "More than one digit? Switch on Number.",
    "number_read": "{count} digits. Tap one to look at it.",
    "number_doubt": "Least sure of the {position}. digit: {first} or {second}?",
    "digit_of": "Digit {position} of {count}",
    "from_picture": "From a picture",
    "seen": "What the network sees",
    "bars_hint": "Wrong? Tap the right digit.",
    # ---- looking inside
    "inside_hint": "Tap a unit to see what feeds it.",
    "inside_empty": "Draw something: its maps appear here.",
    "layer_c1": "C1: 6 maps, strokes and edges",
    "layer_s2": "S2: 6 maps, half the size",
    "layer_c3": "C3: 16 maps, corners and arcs",
    "layer_s4": "S4: 16 maps, half the size",
    "layer_c5": "C5: 120 units",
    "layer_f6": "F6: 84 units",
    "unit_map": "{layer}, map {map}, row {row}, column {column}",
    "unit_single": "{layer}, unit {unit}",
    "unit_inputs": "Inputs",
    "unit_kernel": "Weights",
    "unit_products": "Products",
    "unit_sum": "Sum {sum} with bias {bias}, squashed to {value}",
    "close": "Close",
    # ---- teaching
    "teach_hint": "After a wrong answer tap the right digit. Your samples stay on this device.",
    "teach_this": "This was a …",
    "taught": "Learned as a sample: {label}",
    "teach_nothing": "Draw a digit first, then tap the right one.",
    "teach_single": "Teaching takes one digit at a time: tap one of the number.",
    "samples_none": "No samples yet",
    "samples_count": "{count} samples, {wrong} of them misread",
    "sample_undo": "Forget the last",
    "sample_forgotten": "The last sample is forgotten.",
    "tune": "Learn from them",
    "tuning": "Learning …",
    "tune_done": "Learned: {before} % of your samples right before, {after} % now.",
    "tune_few": "Too few samples to learn from: draw some more.",
    "tune_check_fell": "Nothing changed: other people's digits would be read worse.",
    "tune_other_network": "This model can't learn here; the shipped one can.",
    "tune_no_gain": "Nothing changed: your samples would be read no better.",
    "reset_model": "Back to the shipped model",
    "model_reset": "The shipped model reads again.",
    "export": "Export the samples",
    "exported": "Samples written to {path}",
    # ---- settings and the rest
    "pen": "Pen width",
    "language": "Language",
    "text_size": "Text size",
    "contrast": "High contrast",
    "palette": "Colours",
    "palette_calm": "Light",
    "palette_dark": "Dark",
    "palette_safe": "Colour-blind safe",
    "left_handed": "Left-handed",
    "live": "Read while drawing",
    "speak": "Say the answer",
    "on": "on",
    "off": "off",
    "smaller": "Smaller",
    "larger": "Larger",
    "picture": "Read a picture",
    "picture_path": "Path of a picture, or drop one on the window",
    "picture_open": "Open",
    "picture_failed": "{name} can't be read as a picture.",
    "copy": "Copy the answer",
    "copied": "Copied: {text}",
    "copy_nothing": "There is no answer to copy yet.",
    "share": "Save the drawing",
    "shared": "Drawing saved as {path}",
    "share_copied": "Drawing saved as {path} and copied.",
    "save_failed": "{path} can't be written: {reason}",
    "keys": "Keys",
    "keys_list": (
        "Tab, Shift+Tab: next, previous button. Enter: press it.\n"
        "On the canvas: arrows move the pen, Space lowers and lifts it.\n"
        "Ctrl+Z, Ctrl+Y: undo, redo. E: eraser. Delete: clear. N: number.\n"
        "0 to 9: teach the right digit. Left, Right: digit of a number.\n"
        "F1 to F5: the panes. Ctrl+C: copy. Ctrl+S: save. Ctrl+O: picture.\n"
        "Plus, Minus: text size. Esc: back to the canvas."
    ),
    "said_number": "{text}",
    "said_not_digit": "not a digit",
    "said_either": "{first} or {second}",
    # ---- what went wrong
    "model_aside": "The model file could not be read; the shipped model is used. {reason}",
    "settings_aside": "The settings could not be read and start afresh.",
    "samples_aside": "The samples could not be read and were set aside.",
    "tuned_aside": "What was learned could not be read; the shipped model is used.",
    "tuned_outdated": "What was learned belongs to another model; the shipped one is used.",
    "unexpected": "That did not work: {reason}",
}
"""English text by key."""
