"""From corrections to a version in the registry; and how the bundled models were made.

A run, in the order of what happens: `outlook` says what would be learnt; `client` starts a process, `worker`;
its `session` goes through three stages.

- `preparing`: the `parent` is loaded, a `workbook` opened (`lessons` from corrections, `admission` of those
  that can be right, `split` into learnt and held back), a style of the corrections looked for
  (`style_search`), and the parent sits the `exam` (`scores` on what was held back, `guard` for what must not
  be lost).
- `training`: `finetune` on what `teaching` makes of corrections and `replay`; the `best` weights are kept.
- `judging`: as far from the parent as `blend` allows, the candidate sits the exam too, and the `gate`
  decides; `register` makes a version of it.

`events` are what a run says, `orders` what it is told, `folder` and `timetable` what of it lies on disk.

`pretrain` and `calibration` made the default model, `tumour` holds all that is special to tumour models,
`ahmed2024` and `chen2024` fill the tables of the published systems.
"""
