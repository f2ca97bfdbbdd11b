# SPDX-License-Identifier: Apache-2.0
"""The people of the city: valid ids, the shape of the census, families and jobs that hold together."""

from datetime import date

import numpy as np
import pytest
from stdnum.cn import ric

from lib.whole_city import PEOPLE, SEED, TODAY, city
from zhanqiao.scenarios.city.city import build_city
from zhanqiao.scenarios.city.enterprises import ACTIVE
from zhanqiao.scenarios.city.people import CENSUS, DISTRICTS, FEMALE
from zhanqiao.scenarios.city.shards import Shard

NOW = np.datetime64(TODAY)


def test_every_id_is_valid_and_given_once() -> None:
    ids = city().people.citizen_id.tolist()
    assert len(set(ids)) == len(ids) == PEOPLE
    assert [number for number in ids[:6_000] if not ric.is_valid(number)] == []


def test_every_check_character_is_right() -> None:
    ids = city().people.citizen_id.tolist()
    assert [number for number in ids if number[-1] != ric.calc_check_digit(number)] == []


def test_an_id_tells_birth_and_sex() -> None:
    people = city().people
    for number, birth, sex in zip(people.citizen_id[:3_000], people.birth, people.sex, strict=False):
        assert f"{number[6:10]}-{number[10:12]}-{number[12:14]}" == str(birth)
        assert (int(number[16]) % 2 == 0) == (sex == FEMALE)


def test_ids_stay_unique_where_people_crowd_on_few_days() -> None:
    crowd = build_city(400, Shard(3), TODAY)
    assert len(set(crowd.people.citizen_id.tolist())) == 400


def test_districts_have_the_shares_of_the_census() -> None:
    assert CENSUS.sum() == 10_071_722
    share = CENSUS / CENSUS.sum()
    found = np.bincount(city().people.district, minlength=len(DISTRICTS)) / PEOPLE
    spread = np.sqrt(share * (1 - share) / PEOPLE)
    assert (np.abs(found - share) < 4 * spread).all()


@pytest.mark.parametrize(("from_age", "to_age", "share"), [(0, 15, 0.1541), (15, 60, 0.6431), (60, 120, 0.2028)])
def test_ages_have_the_shape_of_the_census(from_age: int, to_age: int, share: float) -> None:
    age = city().people.ages(NOW)
    assert ((age >= from_age) & (age < to_age)).mean() == pytest.approx(share, abs=0.012)


def test_the_living_and_the_dead_are_told_apart() -> None:
    people = city().people
    assert (people.alive == np.isnat(people.death)).all()
    dead = ~people.alive
    assert 0.005 < dead.mean() < 0.04
    assert (people.death[dead] >= people.birth[dead]).all()
    assert (people.death[dead] < NOW).all()
    assert (people.employer[dead] == -1).all()


def test_couples_are_two_adults_of_one_district() -> None:
    people = city().people
    families = people.families
    assert len(np.unique(np.r_[families.husband, families.wife])) == 2 * len(families.husband)
    assert (people.sex[families.wife] == FEMALE).all()
    assert (people.sex[families.husband] != FEMALE).all()
    assert (people.district[families.husband] == people.district[families.wife]).all()
    for partner in (families.husband, families.wife):
        end = np.where(people.alive, NOW, people.death)[partner]
        assert (people.ages(NOW)[partner] >= 20).all()
        assert (families.married >= people.birth[partner] + np.timedelta64(20 * 365, "D")).all()
        assert (families.married <= end).all()
    divorced = ~np.isnat(families.divorced)
    assert (families.divorced[divorced] > families.married[divorced]).all()


def test_spouses_name_each_other_and_live_together() -> None:
    people = city().people
    married = np.flatnonzero(people.spouse >= 0)
    assert (people.spouse[people.spouse[married]] == married).all()
    assert (people.household[people.spouse[married]] == people.household[married]).all()


def test_a_household_lies_in_one_district_and_has_the_size_of_the_census() -> None:
    people = city().people
    pairs = np.unique(np.stack([people.household, people.district]), axis=1)
    assert pairs.shape[1] == people.household.max() + 1
    assert 2.1 < PEOPLE / (people.household.max() + 1) < 2.9


def test_who_works_is_of_age_and_hired_by_an_enterprise_that_exists() -> None:
    people, enterprises, work = city().people, city().enterprises, city().work
    working = np.flatnonzero(people.employer >= 0)
    assert 0.3 < len(working) / PEOPLE < 0.55
    assert (enterprises.status[people.employer[working]] == ACTIVE).all()
    assert (work.hired[working] >= enterprises.founded[people.employer[working]]).all()
    assert (work.hired[working] <= NOW).all()
    staff = np.bincount(people.employer[working], minlength=len(enterprises))
    assert (staff <= enterprises.headcount).all()


def test_legal_representatives_are_living_adults() -> None:
    people, representative = city().people, city().enterprises.representative
    assert people.alive[representative].all()
    assert (people.ages(NOW)[representative] >= 22).all()


def test_pensioners_are_old_and_insured() -> None:
    lives, people = city().lives, city().people
    pensioner = lives.pensioner
    assert 0.1 < pensioner.mean() < 0.3
    assert (people.ages(NOW)[pensioner] >= 55).all()
    assert (lives.pension[pensioner] > 0).all()
    assert (lives.pension[~pensioner] == 0).all()
    assert (people.employer[pensioner] == -1).all()


def test_same_seed_same_city_another_seed_another_one() -> None:
    again = build_city(PEOPLE, Shard(SEED), TODAY)
    assert (again.people.citizen_id == city().people.citizen_id).all()
    assert (again.people.name == city().people.name).all()
    assert (again.homes.price == city().homes.price).all()
    other = build_city(PEOPLE, Shard(SEED + 1), TODAY)
    assert not (other.people.citizen_id == city().people.citizen_id).all()


@pytest.mark.parametrize("people", [1, 2, 13, 60])
def test_a_hamlet_is_a_city_too(people: int) -> None:
    assert len(build_city(people, Shard(5), date(2024, 2, 29)).people) == people
