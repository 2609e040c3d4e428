"""From corrections to a version in the registry; and how the bundled models were made.

A run, in the order of what happens: `outlook` says what would be learnt; `client` starts a process, `worker`;
its `session` opens a `workbook` (`lessons` from corrections, `admission` of those that can be right, `split`
into learnt and held back), trains with `finetune` beside `replay`, sits the `exam` (`scores` on what was held
back, `guard` for what must not be lost), keeps the `best`, goes as far from the parent as `blend` allows, and
asks the `gate`; `register` makes a version of it. `events` are what a run says, `orders` what it is told,
`folder` and `timetable` what of it lies on disk.

`pretrain` and `calibration` made the default model, `tumour` holds all that is special to tumour models,
`ahmed2024` and `chen2024` fill the tables of the published systems.
"""
