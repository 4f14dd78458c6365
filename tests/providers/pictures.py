"""Whole images of 7 by 5 pixels, one of each kind, as Pillow 13 writes them."""

from base64 import b64decode

_ENCODED = {
    "png": "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFCAIAAAAG+GGPAAAAFElEQVR4nGM8ISfHgAGYMIWoIgoAcO4BDp5SBC0AAAAASUVORK5CYII=",
    "gif": "R0lGODdhBwAFAIAAAAAAAAAAACwAAAAABwAFAAAIDAABCBxIsKDBgwcDAgA7",
    "jpeg": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////"
        "////////////wAALCAAFAAcBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AH//Z"
    ),
    "progressive jpeg with exif": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/4QA4RXhpZgAATU0AKgAAAAgAAQEOAAIAAAAVAAAAGgAAAAB4eHh4eHh4eHh4eHh4eHh4eHh4eAAA/9sA"
        "QwD//////////////////////////////////////////////////////////////////////////////////////8IACwgABQAHAQERAP/E"
        "ABQAAQAAAAAAAAAAAAAAAAAAAAH/2gAIAQEAAAABP//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAQUCf//EABQQAQAAAAAAAAAAAAAA"
        "AAAAAAD/2gAIAQEABj8Cf//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAT8hf//aAAgBAQAAABD/AP/EABQQAQAAAAAAAAAAAAAAAAAA"
        "AAD/2gAIAQEAAT8Qf//Z"
    ),
    "lossy webp": "UklGRjAAAABXRUJQVlA4ICQAAABwAQCdASoHAAUACQCsJaACdAFAAAD+4LkJj0Vr+1PsI78AEAA=",
    "lossless webp": "UklGRh4AAABXRUJQVlA4TBEAAAAvBgABAAdQjyLXo/+BiOh/AAA=",
    "extended webp": (
        "UklGRlQAAABXRUJQVlA4WAoAAAAQAAAABgAABAAAQUxQSAoAAAABB1CtiAhERP8DVlA4ICQAAABwAQCdASoHAAUACQCsJaACdAFAAAD+4LkJ"
        "j0Vr+1PsI78AEAA="
    ),
}

PICTURES = {name: b64decode(text) for name, text in _ENCODED.items()}
KINDS = {
    "png": "image/png",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "progressive jpeg with exif": "image/jpeg",
    "lossy webp": "image/webp",
    "lossless webp": "image/webp",
    "extended webp": "image/webp",
}
