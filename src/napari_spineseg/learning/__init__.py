"""From corrections to a version in the registry; and how the bundled models were made.

A run, in the order of what happens: in `run`, `outlook` says what would be learnt; `client` starts a
process, `worker`; its `session` goes through three of the `stages`.

- `preparing`: the `parent` is loaded, and from `lessons` a `workbook` opened (each `lesson` of a correction,
  `admission` of those that can be right and show `belonging` to their image, `split` into learnt and held
  back), a style of the corrections looked for (`style_search`), and the parent sits the `exam` of `verdict`
  (`scores` on what was held back, `guard` for what must not be lost).
- `training`: `finetune` on what `teaching` makes of corrections and `replay`; the `best` weights are kept.
- `judging`: as far from the parent as `blend` allows, the candidate sits the exam too, and the `gate`
  decides; `register` makes a version of it.

Of a `run`, `events` are what it says, `orders` what it is told, `folder` and `timetable` what of it lies on
disk; `settings` are what can be chosen.

`pretrain` and `calibration` made the default model as its `recipe` says, `tumour` holds all that is special
to tumour models, `ahmed2024` and `chen2024` fill the tables of the published systems.
"""
