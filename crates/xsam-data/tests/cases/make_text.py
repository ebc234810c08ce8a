"""Makes bleu-more.json and bpe.json: what other programs make of the same text.

    pip install sacrebleu==2.6.0 tokenizers==0.23.3
    python make_text.py
"""

import json
import random

import sacrebleu
import tokenizers
from sacrebleu.metrics import BLEU
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

BLEU_CASES = {
    "entities": (
        ['he said &quot;no&quot; &amp; left', "3 &lt; 5 &gt; 2 &amp;lt; 1", "Q&A with AT&T"],
        ['he said "no" & left', "3 < 5 > 2 &lt; 1", "Q & A with AT & T"],
    ),
    "numbers": (
        ["It rose by 1,234.5 to 10.000,7 on 3.5.", "Between 10-20 of -5, a.m. 7.", ".5 and 5. or 1,a"],
        ["It rose by 1,234.5 to 10.000,7 on 3.6.", "Between 10 - 20 of - 5, a.m. 7 .", "0.5 and 5 . or 1 , a"],
    ),
    "unicode": (
        ["„Ja“, sagte er – „vielleicht …“", "L’été, c’est «beau»!", "größer\u00a0als 5\u202f%", "東京 は 大きい 。"],
        ["„Ja“, sagte sie – „vielleicht …“", "L'été, c'est « beau » !", "größer als 5 %", "東京 は とても 大きい 。"],
    ),
    "separators": (
        ["a\x1cb\x1dc\x1ed\x1fe f\x85g\u2028h", " x\ty\x0bz\x0cw  "],
        ["a b c d e f g h", "x y z w"],
    ),
    "markup": (
        ["a <skipped>b c d exam-\nple one\ntwo", "x {y} [z] \\w ^ ` | ~ @ # _ = + * / ; : < >"],
        ["a b c d example one two", "x { y } [ z ] \\ w ^ ` | ~ @ # _ = + * / ; : < >"],
    ),
    "some-empty": (
        ["", "the cat sat on the mat", "   ", "a dog"],
        ["nothing here", "the cat sat on a mat", "", "a small dog barks loudly"],
    ),
    "all-hypotheses-empty": (["", " "], ["one two", "three"]),
    "all-references-empty": (["one two", "three"], ["", " "]),
    "all-empty": ([""], [""]),
    "no-match": (["a b c d e"], ["v w x y z"]),
    "shorter-than-four-words": (["a b c", "a b"], ["a b c", "a b d"]),
    "two-orders-without-match": (["a x b y c z a b"], ["a b c d e f g h i"]),
    "repeated-words": (["the the the the the the the"], ["the cat is on the mat with the hat"]),
    "case-counts": (["The Cat Sat On The Mat"], ["the cat sat on the mat"]),
    "tokenized-already": (["it 's a dog , is n't it ? ."] * 3, ["it 's the dog , is n't it ? ."] * 3),
}


def corpus(lines):
    """A longer corpus whose hypotheses are the references with words changed, doubled or left out."""
    rng = random.Random(1)
    words = "the a dog man runs, sees 3.5 10-year (old) house. where? \"so\" it's größer – and".split()
    references, hypotheses = [], []
    for _ in range(lines):
        reference = [rng.choice(words) for _ in range(rng.randint(1, 20))]
        hypothesis = []
        for word in reference:
            hypothesis += rng.choice([[word]] * 7 + [[], [rng.choice(words)], [word, word]])
        references.append(" ".join(reference))
        hypotheses.append(" ".join(hypothesis))
    return hypotheses, references


BLEU_CASES["forty-lines"] = corpus(40)


def score(hypotheses, references, **options):
    result = BLEU(**options).corpus_score(hypotheses, [references])
    return {
        "options": {"tokenize": "13a", "smooth_method": "exp", "effective_order": False} | options,
        "score": result.score,
        "precisions": result.precisions,
        "matches": result.counts,
        "totals": result.totals,
        "brevity_penalty": result.bp,
        "hypothesis_length": result.sys_len,
        "reference_length": result.ref_len,
    }


def bleu():
    cases = []
    for name, (hypotheses, references) in BLEU_CASES.items():
        scores = [
            score(hypotheses, references, tokenize=tokenize, smooth_method=smooth, effective_order=effective)
            for tokenize in ("13a", "none")
            for smooth in ("exp", "none")
            for effective in (False, True)
        ]
        cases.append({"name": name, "hypotheses": hypotheses, "references": references, "scores": scores})
    return {"source": f"sacrebleu {sacrebleu.__version__}", "cases": cases}


TEXT = """\
the children play in the garden behind the old house .
die kinder spielen im garten hinter dem alten haus .
every morning the baker opens his shop before the sun rises .
jeden morgen öffnet der bäcker seinen laden , bevor die sonne aufgeht .
she is playing the piano , and her brothers are listening .
sie spielt klavier , und ihre brüder hören zu .
the lowest prices are lower than they were a year ago .
die niedrigsten preise sind niedriger als vor einem jahr .
we walked along the river until the bridge was in sight .
wir gingen am fluss entlang , bis die brücke in sicht kam .
" newer is not always better , " the older player said ...
" neuer ist nicht immer besser " , sagte der ältere spieler ...
the baker 's children opened the garden gate , playing and listening .
die kinder des bäckers öffneten das gartentor , spielten und hörten zu .
----- ------- --- aaaaaaa aaaaa aaa aaaa
a <s> is not the start , and </s> is not the end : <s> <s> </s> </s>
""".splitlines()

UNSEEN = [
    "the lowest bakers are playing along the bridge",
    "die ältesten brüder spielten hinter der brücke !",
    "---- aaaaaa <s>",
    "",
]


def bpe(merges):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk >"))
    # A word ends by a blank, and no special piece can arise from words.
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    special = ["<pad >", "<s >", "</s >", "<unk >"]
    blank = [line + " " for line in TEXT]
    alphabet = sorted(set("".join(blank)))
    trainer = trainers.BpeTrainer(
        vocab_size=len(special) + len(alphabet) + merges,
        min_frequency=2,
        special_tokens=special,
        show_progress=False,
    )
    tokenizer.train_from_iterator(blank, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    lines = TEXT + UNSEEN
    return {
        "merges": merges,
        "pieces": sorted(model["vocab"], key=model["vocab"].get)[4:],
        "encoded": [tokenizer.encode(line + " ").ids if line else [] for line in lines],
    }


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=None)
        file.write("\n")


write("bleu-more.json", bleu())
write(
    "bpe.json",
    {
        "source": f"tokenizers {tokenizers.__version__}",
        "text": TEXT,
        "unseen": UNSEEN,
        "cases": [bpe(merges) for merges in (1, 40, 120)],
    },
)
