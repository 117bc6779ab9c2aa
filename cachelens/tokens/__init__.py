"""Text becomes token ids. In: texts and image payloads. Out: ids, counts, and what had to be approximated.

`encodings` holds the vocabularies shipped in the package, `guards` cuts what an encoder cannot swallow,
`tokenizer` encodes many texts on several threads, `images` prices pictures. Nothing here knows JSON.
"""
