"""The circuits that are planted: nodes and edges, with a sentence on what each does."""


def circuit() -> dict[str, dict[str, dict[str, str]]]:
    """{behaviour: {"nodes": {node: sentence}, "edges": {edge: sentence}}} for "ioi", "induction" and "facts".

    A node is a head ("a1.2": layer 1, head 2) or an MLP ("m1"). An edge is "sender -> receiver": a sender is a node or
    "embed", a receiver is a head's query, key or value ("a1.2.k"), an MLP or "logits".

    The circuit is what carries the difference between a prompt and its counterfactual (`prompts(…).corrupted`). What is
    the same in both (where the previous position is; that " to" wants a name) is background, not an edge.
    With the others ablated so, these nodes keep the whole behaviour, and no set without them all keeps any of it. The
    nodes are the same under mean ablation. The edges of "ioi" are not: its templates put names at different positions,
    so a mean over prompts also blurs the background.
    There is no back-up: when a node of the circuit is ablated, nothing takes over.
    """
    return {
        "ioi": {
            "nodes": {
                "a0.3": "Duplicate token: at the second Ann it looks at the first, and says that the word was here.",
                "a1.2": "S-inhibition: from the end it looks at the duplicate, and says that Ann is not wanted.",
                "a2.2": "Mover: from the end, where a name is wanted, it looks at names but Ann: it answers Bob.",
            },
            "edges": {
                "embed -> a0.3.q": "which word stands here",
                "embed -> a0.3.k": "which words stood earlier",
                "a0.3 -> a1.2.k": "this one is a duplicate",
                "embed -> a1.2.v": "the duplicate is Ann",
                "a1.2 -> a2.2.q": "don't look at Ann",
                "embed -> a2.2.k": "which names stand where",
                "embed -> a2.2.v": "the name that is found",
                "a2.2 -> logits": "that name is the answer",
            },
        },
        "induction": {
            "nodes": {
                "a0.1": "Previous token: it tells each position which word stood one before.",
                "a1.0": "Induction: it looks at the position whose previous word is this word, and answers with it.",
            },
            "edges": {
                "embed -> a0.1.v": "the word one before",
                "a0.1 -> a1.0.k": "this position comes after that word",
                "embed -> a1.0.q": "which word stands here",
                "embed -> a1.0.v": "the word that is found",
                "a1.0 -> logits": "that word is the answer",
            },
        },
        "facts": {
            "nodes": {
                "a0.1": "Previous token: it brings the first name to the surname.",
                "m1": "Lookup: one neuron a person (0-23), on for this first name AND this surname, writes the sport.",
                "a2.2": "Mover: from the end, where a sport is wanted, it looks at the sport and answers with it.",
            },
            "edges": {
                "embed -> a0.1.v": "the first name",
                "a0.1 -> m1": "the first name, one position later",
                "embed -> m1": "the surname",
                "m1 -> a2.2.v": "the sport",
                "a2.2 -> logits": "that sport is the answer",
            },
        },
    }
