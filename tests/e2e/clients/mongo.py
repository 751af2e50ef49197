"""mongo.py HOW PORT: a loss by pymongo."""
import sys

import pymongo

how, port = sys.argv[1], int(sys.argv[2])
db = pymongo.MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=20000, retryWrites=False).shop
try:
    db.users.insert_one({"_id": "drop", "text": "dropDatabase"})
    db.users.delete_many({"a": 7})
    db.command("ping")
    {"drop": db.users.drop, "dropDatabase": lambda: db.client.drop_database("shop"),
     "everything": lambda: db.users.delete_many({})}[how]()
except pymongo.errors.PyMongoError as error:
    sys.exit(f"error: {error}")
print("done")
