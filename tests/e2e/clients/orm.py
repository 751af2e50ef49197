"""orm.py CONNINFO: what a program does by SQLAlchemy's ORM; then it deletes all rows of a table, and goes on."""
import sys

import psycopg2
import sqlalchemy
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import Session, declarative_base, relationship

Base = declarative_base()


class User(Base):
    __tablename__ = "orm_users"
    id = Column(Integer, primary_key=True)
    name = Column(String, nullable=False)
    notes = relationship("Note", back_populates="user", cascade="all, delete-orphan")


class Note(Base):
    __tablename__ = "orm_notes"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("orm_users.id"))
    text = Column(String)
    user = relationship("User", back_populates="notes")


def write(session):
    session.add_all([User(id=i, name=f"drop table {i}", notes=[Note(text="delete from orm_users")]) for i in range(1, 6)])
    session.commit()
    session.bulk_insert_mappings(User, [{"id": i, "name": f"user {i}"} for i in range(10, 1010)])
    session.execute(User.__table__.insert(), [{"id": i, "name": "truncate"} for i in range(2000, 2500)])
    session.commit()


def change(session):
    session.get(User, 1).name = "alter table"
    session.query(User).filter(User.id >= 10, User.id < 20).update({"name": "update"})
    session.commit()
    session.add(User(id=9000, name="never"))
    session.flush()
    session.rollback()
    with session.begin_nested():
        session.add(User(id=9001, name="nested"))
    session.commit()
    assert session.query(User).filter(User.name.like("drop%")).count() == 4
    assert [n.text for n in session.get(User, 2).notes] == ["delete from orm_users"]


def remove(session):
    session.delete(session.get(User, 3))
    session.query(User).filter(User.id >= 2000).delete()
    session.commit()
    assert session.query(User).count() == 1004


def backend(session):
    return session.execute(sqlalchemy.text("select pg_backend_pid()")).scalar()


engine = sqlalchemy.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(sys.argv[1]), pool_size=1, max_overflow=0)
Base.metadata.create_all(engine)
with Session(engine) as orm:
    write(orm)
    change(orm)
    remove(orm)
    print("written", flush=True)
    before = backend(orm)
    try:
        orm.query(Note).delete()
        orm.commit()
        print("done")
    except sqlalchemy.exc.DBAPIError as error:
        print("error:", error)
        orm.rollback()
    print("goes on" if backend(orm) == before else "goes on anew", orm.query(User).count(), orm.query(Note).count())
